/* "Why not me?": what keeps each of the first waiting contacts from this agent. */

import { barredContacts } from "../shared/barred.js";
import { h, replace } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { openDialog } from "../shared/dialog.js";
import { Refused } from "../shared/session.js";
import { t } from "../shared/words.js";
import { refusalWords, whyNotMe } from "./actions.js";
import { model } from "./model.js";

/** Opens the answer; it is asked afresh each time. */
export function openWhy() {
  openDialog(
    t("why.title"),
    () => {
      const body = h(
        "div",
        { class: "dialog-body why", "aria-live": "polite" },
        h("p", { class: "faint" }, t("why.asking")),
      );
      fill(body);
      return body;
    },
    { wide: true },
  );
}

async function fill(body) {
  let answer;
  try {
    answer = await whyNotMe();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return replace(body, h("p", { class: "problem" }, refusalWords(error)));
  }
  replace(
    body,
    answer.contacts.length
      ? [h("p", { class: "why-words" }, t("why.can_nothing")), barredContacts(answer)]
      : h(
          "p",
          { class: "nothing" },
          icon("check"),
          model.agent.state === "offline" ? t("why.signed_out") : t("why.nobody"),
        ),
  );
}
