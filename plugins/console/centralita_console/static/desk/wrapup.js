/* After-work: what it was about, what to remember, and the time that is left for it. */

import { h, reconcile, set, setData, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { ms } from "../shared/time.js";
import { t, word } from "../shared/words.js";
import { extend, finish, note } from "./actions.js";
import { model, workOf } from "./model.js";
import { flushNotes, makeNotes } from "./notes.js";

const EXTENSIONS_S = [30, 120];
const URGENT_MS = 10_000;

/** The wrap-up panel, as a part. */
export function makeWrapUp() {
  let contact = null;
  const bar = h("span", { class: "wrap-bar", "aria-hidden": "true" });
  const time = h("span", { class: "wrap-time", role: "timer" });
  const chips = h("div", { class: "chips", role: "radiogroup", "aria-label": t("wrap.disposition") });
  const notes = makeNotes("wrap-notes");
  const done = () => {
    const mine = contact;
    const chosen = chips.querySelector("[aria-checked=true]")?.dataset.value ?? mine.disposition;
    const words = notes.value();
    flushNotes();
    finish(mine, chosen, words);
  };
  const el = h(
    "form",
    {
      class: "wrap",
      on: {
        submit: (event) => {
          event.preventDefault();
          done();
        },
      },
    },
    bar,
    h(
      "div",
      { class: "wrap-head" },
      h("h2", {}, t("wrap.title")),
      time,
      h("span", { class: "faint" }, t("wrap.left")),
    ),
    chips,
    notes.el,
    h(
      "div",
      { class: "wrap-do" },
      EXTENSIONS_S.map((seconds) =>
        h(
          "button",
          { type: "button", class: "button quiet again", on: { click: () => extend(contact, seconds) } },
          icon("plus"),
          t("wrap.extend", { seconds: seconds < 60 ? `${seconds} s` : `${seconds / 60} min` }),
        ),
      ),
      h(
        "button",
        { type: "submit", class: "button primary", "aria-keyshortcuts": "Alt+W" },
        icon("check"),
        t("wrap.finish"),
        h("kbd", {}, "Alt W"),
      ),
    ),
  );
  chips.addEventListener("keydown", (event) => moveInChips(event, chips));
  let chosenFor = 0;
  let chosen = "";
  const choose = (value) => {
    chosen = contact.disposition = value;
    paint();
    note(contact, { disposition: value }); // the time may run out before it is said that all is done
  };
  const paint = () =>
    reconcile(
      chips,
      model.dispositions,
      (name) => name,
      (name) => {
        const chip = h(
          "button",
          { type: "button", class: "chip", role: "radio", data: { value: name }, on: { click: () => choose(name) } },
          word("disposition", name),
        );
        return {
          el: chip,
          update() {
            set(chip, "aria-checked", String(name === chosen));
            set(chip, "tabindex", name === chosen || (!chosen && model.dispositions[0] === name) ? "0" : "-1");
          },
        };
      },
    );
  return {
    el,
    finish: done,
    update(now) {
      if (chosenFor !== now.id) chosen = now.disposition;
      chosenFor = now.id;
      contact = now;
      const work = workOf(now);
      setData(time, "until", ms(work.deadline_ns));
      setData(time, "urgent", URGENT_MS);
      setData(bar, "from", ms(work.since_ns));
      setData(bar, "until", ms(work.deadline_ns));
      setData(bar, "urgent", URGENT_MS);
      if (!work.deadline_ns) setText(time, "");
      paint();
      notes.update(now);
    },
  };
}

function moveInChips(event, chips) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...chips.children];
  const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
  next?.click();
  next?.focus();
}
