/* The agent's desk: signs in, opens the link, and puts the parts together. */

import { h, isTyping, replace, set, setText, show, takeDoubleClicksAsOne } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { chime, notesOn } from "../shared/look.js";
import { api, sessionIsOver, signedIn } from "../shared/session.js";
import { ms, startTicking } from "../shared/time.js";
import { duration, t, word } from "../shared/words.js";
import { accept, setStatus, useConnection } from "./actions.js";
import { connect } from "./connection.js";
import { makeConversation } from "./conversation.js";
import { listenToKeys, openKeys } from "./keys.js";
import {
  bringToFront,
  changed,
  conversations,
  fadeTyping,
  inFront,
  markRead,
  model,
  nameOf,
  offers,
  onChange,
  queueTitle,
  take,
  unread,
} from "./model.js";
import { flushNotes } from "./notes.js";
import { makeOffers, openDecline } from "./offers.js";
import { openPlace } from "./place.js";
import { makeRail } from "./rail.js";
import { makeSide, openTab } from "./side.js";
import { openWhy } from "./why.js";

const place = document.getElementById("app");
takeDoubleClicksAsOne();
model.me = await signedIn(place, (me) => (me.agent ? "" : t("signin.not_an_agent")));
model.quickTexts = (await api("GET", "/console/settings.json")).quick_texts;
replace(place, h("p", { class: "opening", role: "status" }, t("link.opening")));

const connection = connect("/ws/desk", { hear, link, isOver: sessionIsOver });
useConnection(connection);
let parts = null;

function hear(frame) {
  const sign = take(frame);
  if (frame.type === "hello") comeBack(frame.agent);
  if (sign === "offer") announce();
  else if (sign === "message") chime();
}

function link(state) {
  model.link = state;
  if (state.over) location.reload();
  // Before the first hello there is no desk whose banner could say it.
  if (state.away && !parts) replace(place, h("p", { class: "opening problem", role: "alert" }, state.away));
  changed();
}

/** An agent whose connection was lost is in grace: signing in again is how they come back to their work. */
function comeBack(agent) {
  if (agent.state === "lost") setStatus(agent.status, agent.reason);
}

function announce() {
  chime();
  const contact = offers().at(-1);
  if (!document.hidden || !notesOn() || !contact) return;
  const note = new Notification(t("offer.label"), {
    body: `${nameOf(contact) || t("customer.unknown")} · ${queueTitle(contact.queue)}`,
    tag: `offer-${contact.id}`,
  });
  note.addEventListener("click", () => window.focus());
}

function build() {
  const rail = makeRail();
  const banner = makeBanner();
  const offerDock = makeOffers();
  const talk = makeConversation();
  const side = makeSide();
  const empty = makeEmpty();
  const main = h("main", { class: "stage" }, banner.el, offerDock.el, empty.el, talk.el);
  replace(place, h("div", { class: "desk" }, rail.el, main, side.el));
  listenToKeys(commandsOf(talk.commands));
  return { rail, banner, offerDock, talk, side, empty };
}

onChange(() => {
  if (model.agent === null) return;
  parts ??= build();
  const contact = inFront();
  leaveWhatIsGone(contact);
  parts.rail.update();
  parts.banner.update();
  parts.offerDock.update();
  show(parts.talk.el, contact !== null);
  show(parts.side.el, contact !== null);
  show(parts.empty.el, contact === null);
  if (contact) {
    parts.side.update(contact);
    parts.talk.update(contact);
  } else {
    parts.empty.update();
  }
  const n = conversations().reduce((sum, one) => sum + unread(one), 0) + offers().length;
  document.title = `${n ? `(${n}) ` : ""}${t("desk.title")} · Centralita`;
  tick();
});

let shown = null;

/** Whoever writes as a conversation goes from under them would go on in the one that comes to the front. Only what
 *  was written to a colleague goes along to the contact that it was about. */
function leaveWhatIsGone(contact) {
  const gone = shown !== null && !conversations().some((one) => one.id === shown.id);
  const at = document.activeElement;
  if (gone && contact?.id !== shown.parent && isTyping(at) && place.contains(at)) at.blur();
  shown = contact;
}

const tick = startTicking(() => {
  fadeTyping();
  parts?.banner.tick();
});
document.addEventListener("visibilitychange", () => {
  markRead();
  changed();
});
window.addEventListener("beforeunload", (event) => {
  flushNotes();
  if (connection.unanswered() > 0) event.preventDefault();
});

function commandsOf(talk) {
  const step = (by) => {
    const all = conversations();
    const at = all.findIndex((contact) => contact.id === model.front);
    if (!all.length) return;
    bringToFront(all[(at + by + all.length) % all.length].id);
    queueMicrotask(talk.write);
  };
  const nth = Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [
      `Alt ${n}`,
      () => {
        if (!conversations()[n - 1]) return;
        bringToFront(conversations()[n - 1].id);
        queueMicrotask(talk.write);
      },
    ]),
  );
  return {
    ...nth,
    "?": openKeys,
    "Alt A": () => accept().then(talk.expectWriting),
    "Alt X": openDecline,
    "Alt ArrowUp": () => step(-1),
    "Alt ArrowDown": () => step(1),
    "Alt C": talk.write,
    "Alt I": talk.internal,
    "Alt O": talk.hold,
    "Alt T": talk.transfer,
    "Alt Q": talk.consult,
    "Alt E": talk.end,
    "Alt W": talk.finish,
    "Alt U": () => openTab("customer"),
    "Alt H": () => openTab("history"),
    "Alt N": () => {
      openTab("notes");
      queueMicrotask(() => document.getElementById("side-notes")?.focus());
    },
    "Alt S": () => document.getElementById("status").click(),
    "Alt P": () => openPlace(),
    "Alt Y": openWhy,
  };
}

function makeBanner() {
  const words = h("span", {});
  const told = h("span", { class: "unseen", role: "alert" }); // once: the seconds would be read out one by one
  const again = h(
    "button",
    { type: "button", class: "button", on: { click: () => connection.retryNow() } },
    t("link.retry"),
  );
  const el = h("div", { class: "banner" }, icon("link"), told, words, again);
  const say = () => {
    if (model.link.up) return;
    if (model.link.away) return setText(words, model.link.away);
    const left = model.link.retryAt - Date.now();
    setText(words, left > 0 ? t("link.lost", { seconds: Math.ceil(left / 1000) }) : t("link.trying"));
  };
  return {
    el,
    update() {
      show(el, !model.link.up);
      setText(told, model.link.up ? "" : model.link.away || t("link.trying"));
      say();
    },
    tick: say,
  };
}

/** What stands where no conversation is: how I am, and what I can do about it. */
function makeEmpty() {
  const picture = h("span", { class: "empty-dot", "aria-hidden": "true" });
  const title = h("h1", {});
  const words = h("p", { class: "empty-words" });
  const time = h("p", { class: "empty-time" });
  const start = h("button", {
    type: "button",
    class: "button primary big",
    on: { click: () => setStatus("available") },
  });
  const why = h(
    "button",
    { type: "button", class: "button quiet", on: { click: openWhy } },
    icon("question"),
    t("why.open"),
  );
  return {
    el: h(
      "section",
      { class: "empty", "aria-label": t("talk.label") },
      picture,
      title,
      words,
      time,
      h("div", { class: "empty-do" }, start, why),
    ),
    update() {
      const { agent } = model;
      const away = agent.state === "offline" ? "offline" : agent.status === "break" ? "break" : "ready";
      picture.className = `empty-dot ${away}`;
      setText(
        title,
        away === "break" && agent.reason
          ? t("empty.break_reason", { reason: word("break", agent.reason) })
          : t(`empty.${away}`),
      );
      setText(words, t(`empty.${away}_words`));
      if (away === "offline") time.removeAttribute("data-since");
      else time.dataset.since = String(ms(agent.since_ns));
      if (away === "offline") setText(time, "");
      else if (!time.textContent) setText(time, duration(0));
      show(start, away !== "ready");
      setText(start, t(away === "break" ? "empty.back" : "empty.start"));
      show(why, away === "ready");
      set(picture, "title", word("state", agent.state));
    },
  };
}
