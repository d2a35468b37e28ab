/* Who is signed in: the cookie session of the front door, and the form that begins one.

   A token may come in the address's fragment, which no server ever sees; it is taken out of the
   address bar before anything else happens, so that it is neither bookmarked nor shown on a wall. */

import { h, replace, setText, show } from "./dom.js";
import { mark } from "./icons.js";
import { t } from "./words.js";

/** What the front door refused, with its code and its words. */
export class Refused extends Error {
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** One request to the front door; gives the decoded answer. Throws Refused, also when it can't be reached. */
export async function api(method, path, body) {
  const request = { method, credentials: "same-origin", headers: { Accept: "application/json" } };
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  let answer;
  let text;
  try {
    answer = await fetch(path, request);
    text = await answer.text(); // the line may break within the answer, too
  } catch {
    throw new Refused("unreachable", t("error.unreachable"));
  }
  const decoded = parse(text);
  if (!answer.ok)
    throw new Refused(decoded?.code ?? `http_${answer.status}`, decoded?.message ?? answer.statusText, answer.status);
  return decoded;
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** The token in the address's fragment, which is removed; empty when there is none. */
function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (found) history.replaceState(null, "", location.pathname + location.search);
  return found;
}

/** Resolves with `{role, agent, name}` once somebody is signed in whom `suits` accepts.
 *  `suits(me)` gives "" or the words that say why this page is not for them. */
export async function signedIn(place, suits) {
  // A link opened where a page of ours is already changes no more than the fragment.
  window.addEventListener("hashchange", () => location.hash.includes("token=") && location.reload());
  const token = takeToken();
  let problem = "";
  try {
    const me = token ? await api("POST", "/api/session", { token }) : await api("GET", "/api/me");
    problem = suits(me);
    if (!problem) return me;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    problem = error.code === "no_token" ? "" : signInWords(error);
  }
  return ask(place, suits, problem);
}

const signInWords = (error) => (error.status === 401 || error.status === 403 ? t("signin.wrong") : error.message);

function ask(place, suits, problem) {
  return new Promise((resolve) => {
    const input = h("input", {
      id: "token",
      type: "password",
      autocomplete: "current-password",
      required: true,
      spellcheck: "false",
      "aria-describedby": "token-help token-problem",
    });
    const wrong = h("p", { id: "token-problem", class: "problem", role: "alert" }, problem);
    const button = h("button", { class: "button primary wide", type: "submit" }, t("signin.do"));
    show(wrong, problem !== "");
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        const me = await api("POST", "/api/session", { token: input.value.trim() });
        const misfit = suits(me);
        if (!misfit) {
          replace(place);
          resolve(me);
          return;
        }
        setText(wrong, misfit);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        setText(wrong, signInWords(error));
      } finally {
        button.disabled = false;
      }
      show(wrong, true);
      input.select();
    };
    const form = h(
      "form",
      { class: "signin", on: { submit } },
      h("div", { class: "signin-brand" }, mark(), h("h1", {}, "Centralita")),
      h("label", { for: "token" }, t("signin.token")),
      input,
      h("p", { id: "token-help", class: "faint" }, t("signin.help")),
      wrong,
      button,
    );
    replace(place, h("main", { class: "signin-page" }, form));
    input.focus();
  });
}

/** Whether nobody is signed in any more; false also when the server can't be reached. */
export async function sessionIsOver() {
  try {
    await api("GET", "/api/me");
    return false;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error.status === 401 || error.status === 403;
  }
}

/** Ends the session and starts the page again. */
export async function signOut() {
  try {
    await api("DELETE", "/api/session");
  } finally {
    location.reload();
  }
}
