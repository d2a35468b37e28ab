/* The conversation in front: who it is with, what can be done, what was said, and what comes after. */

import { h, isTyping, replace, set, setData, setText, show } from "../shared/dom.js";
import { icon, mediumIcon } from "../shared/icons.js";
import { openDialog } from "../shared/dialog.js";
import { ms, since } from "../shared/time.js";
import { isolated, t, word } from "../shared/words.js";
import { bringToFront, can, model, nameOf, queueTitle, stateOf, titleOf, workOf } from "./model.js";
import { end, endConsultation, hold, leave } from "./actions.js";
import { makeComposer } from "./composer.js";
import { makeControls } from "./controls.js";
import { makeDialling } from "./dialling.js";
import { openHandover } from "./handover.js";
import { closeSide, openTab } from "./side.js";
import { makeTranscript } from "./transcript.js";
import { makeWrapUp } from "./wrapup.js";

const WORKING = ["connected", "held"];

/** The conversation, as a part; `commands` are what the keys reach. */
export function makeConversation() {
  let contact = null;
  let wanted = false;
  const head = makeHead(() => contact);
  const consultation = makeConsultation(() => contact);
  const controls = makeControls();
  const dialling = makeDialling();
  const transcript = makeTranscript();
  const composer = makeComposer();
  const wrapUp = makeWrapUp();
  const el = h(
    "section",
    { class: "conversation", "aria-label": t("talk.label") },
    head.el,
    consultation.el,
    controls.el,
    dialling.el,
    transcript.el,
    composer.el,
    wrapUp.el,
  );
  // One who has just accepted wants to write, but the customer comes a moment later.
  const focusIfReady = () => {
    const place = [composer.el, wrapUp.el].find((part) => !part.hidden);
    if (!wanted || el.hidden || !place || model.contacts.has(model.awaited)) return;
    wanted = false;
    const at = document.activeElement;
    const elsewhere = (isTyping(at) && !el.contains(at)) || at?.closest(".menu");
    if (!elsewhere) place.querySelector("textarea").focus();
  };
  const expectWriting = () => {
    wanted = true;
    if (model.sideOpen) closeSide();
    else focusIfReady();
  };
  return {
    el,
    commands: {
      hold: () => head.press("hold"),
      transfer: () => head.press("transfer"),
      consult: () => head.press("consult"),
      end: () => head.press("end"),
      internal: () => composer.toggleInternal(),
      write() {
        const at = document.activeElement;
        if (isTyping(at) && !el.contains(at)) at.blur();
        expectWriting();
      },
      expectWriting,
      finish: () => !wrapUp.el.hidden && wrapUp.finish(),
    },
    update(now) {
      contact = now;
      const state = stateOf(contact);
      setData(el, "state", state);
      head.update();
      consultation.update();
      controls.update(contact);
      dialling.update(contact);
      transcript.update(contact);
      show(composer.el, WORKING.includes(state));
      if (WORKING.includes(state)) composer.update(contact);
      show(wrapUp.el, state === "wrapping");
      if (state === "wrapping") wrapUp.update(contact);
      focusIfReady();
    },
  };
}

function makeHead(current) {
  const kind = h("span", { class: "head-kind" });
  const who = h("h1", { class: "head-who" });
  const facts = h("p", { class: "head-facts" });
  const state = h("span", { class: "pill" });
  const time = h("span", { class: "head-time" });
  const buttons = {
    hold: action("hold", "hold", "Alt O", () => hold(current())),
    consult: action("consult", "consult", "Alt Q", () => openHandover(current(), "consult")),
    transfer: action("transfer", "transfer", "Alt T", () => openHandover(current(), "transfer")),
    leave: action("leave", "leave", "", () => leave(current())),
    end: action("end", "end", "Alt E", () => confirmEnd(current())),
  };
  const openSide = h(
    "button",
    {
      type: "button",
      class: "button icon-only open-side",
      title: t("side.label"),
      "aria-label": t("side.label"),
      on: {
        click: () => {
          openTab(model.sideTab);
          queueMicrotask(() => document.getElementById(`tab-${model.sideTab}`).focus());
        },
      },
    },
    icon("people"),
  );
  let shownKind = "";
  const el = h(
    "header",
    { class: "head" },
    kind,
    h("div", { class: "head-words" }, who, h("div", { class: "head-line" }, state, time, facts)),
    h("div", { class: "head-do", role: "toolbar", "aria-label": t("talk.actions") }, Object.values(buttons), openSide),
  );
  return {
    el,
    press: (name) => !buttons[name].hidden && !buttons[name].disabled && buttons[name].click(),
    update() {
      const contact = current();
      const work = workOf(contact);
      const stands = stateOf(contact);
      const kindNow = contact.direction === "consultation" ? "consult" : contact.medium;
      if (shownKind !== kindNow) replace(kind, mediumIcon(kindNow));
      shownKind = kindNow;
      setText(who, nameOf(contact) || t("customer.unknown"));
      setText(state, word("work", stands));
      setData(state, "state", stands);
      setData(time, "since", ms(work.since_ns));
      setText(facts, factsOf(contact).map(isolated).join("  ·  "));
      const working = WORKING.includes(stands);
      const several = contact.works.filter((one) => WORKING.includes(one.state)).length > 1;
      show(buttons.hold, working && (can(contact, "hold") || stands === "held"));
      relabel(buttons.hold, stands === "held" ? "resume" : "hold");
      const outside = contact.direction !== "consultation";
      show(buttons.transfer, working && outside && contact.consultation === 0 && !several);
      show(buttons.consult, working && outside && contact.consultation === 0);
      show(buttons.leave, working && several && outside);
      show(buttons.end, !contact.asked && (working || stands === "connecting"));
    },
  };
}

function factsOf(contact) {
  const others = contact.works.filter((work) => work.agent !== model.agent.name && work.state !== "offered");
  return [
    contact.direction === "consultation" ? t("talk.consultation") : word("medium", contact.medium),
    queueTitle(contact.queue),
    contact.direction === "outbound" ? t("talk.outbound") : "",
    contact.subject,
    others.length && contact.direction !== "consultation"
      ? t("talk.with", { who: others.map((work) => titleOf(work.agent)).join(", ") })
      : "",
    `#${contact.id}`,
  ].filter(Boolean);
}

function action(name, picture, keys, act) {
  const button = h(
    "button",
    { type: "button", class: `button action ${name}`, on: { click: act } },
    icon(picture),
    h("span", {}, t(`action.${name}`)),
  );
  if (keys) set(button, "aria-keyshortcuts", keys.replace(" ", "+"));
  set(button, "title", keys ? `${t(`action.${name}`)} (${keys.replace(" ", "+")})` : t(`action.${name}`));
  return button;
}

function relabel(button, name) {
  const label = t(`action.${name}`);
  if (button.lastChild.textContent === label) return;
  setText(button.lastChild, label);
  button.firstChild.replaceWith(icon(name));
  set(button, "title", `${label} (Alt+O)`);
}

function confirmEnd(contact) {
  openDialog(t("end.title"), (close) =>
    h(
      "form",
      {
        class: "dialog-body",
        on: {
          submit: (event) => {
            event.preventDefault();
            close();
            end(contact);
          },
        },
      },
      h("p", {}, t("end.words", { who: nameOf(contact) || t("customer.unknown") })),
      h(
        "div",
        { class: "dialog-do" },
        h("button", { type: "button", class: "button", on: { click: close } }, t("do.cancel")),
        h("button", { type: "submit", class: "button danger", autofocus: true }, t("action.end")),
      ),
    ),
  );
}

/** The strip under the head while a colleague is asked: how it stands and how it can end. */
function makeConsultation(current) {
  const words = h("span", { class: "strip-words" });
  const time = h("span", { class: "strip-time", role: "timer" });
  const open = h(
    "button",
    { type: "button", class: "button quiet", on: { click: () => bringToFront(current().consultation) } },
    icon("consult"),
    t("consult.open"),
  );
  const finish = (then, style) =>
    h(
      "button",
      { type: "button", class: `button ${style}`, on: { click: () => endConsultation(current(), then) } },
      t(`consult.${then}`),
    );
  const give = finish("transfer", "primary");
  const join = finish("join", "");
  const drop = finish("cancel", "quiet");
  const el = h("div", { class: "strip", role: "status" }, icon("consult"), words, time, open, give, join, drop);
  return {
    el,
    update() {
      const contact = current();
      show(el, contact.consultation !== 0 && WORKING.includes(workOf(contact).state));
      if (el.hidden) return;
      const talk = model.contacts.get(contact.consultation);
      const there =
        talk?.works.some((work) => work.agent !== model.agent.name && WORKING.includes(work.state)) ?? false;
      setText(words, there ? t("consult.with", { who: nameOf(talk) }) : t("consult.waiting"));
      setData(time, "since", talk ? since(workOf(talk).since_ns).since : null);
      show(open, talk !== undefined);
      const several = contact.works.filter((work) => WORKING.includes(work.state)).length > 1;
      show(give, !several);
    },
  };
}
