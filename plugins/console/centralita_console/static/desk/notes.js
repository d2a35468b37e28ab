/* The notes of a contact, kept with it while they are written. */

import { h } from "../shared/dom.js";
import { t } from "../shared/words.js";
import { note } from "./actions.js";

const PAUSE_MS = 800;
const LENGTH_MAX = 10_000;
const unsaved = new Map();

/** Sends what has not been sent yet. */
export function flushNotes() {
  for (const { timer, send } of [...unsaved.values()]) {
    clearTimeout(timer);
    send();
  }
}

/** A field of notes, as a part. What somebody types into is not overwritten by what comes in. */
export function makeNotes(id) {
  let contact = null;
  const field = h("textarea", {
    id,
    class: "notes",
    rows: "3",
    dir: "auto",
    maxlength: LENGTH_MAX,
    placeholder: t("notes.placeholder"),
    "aria-label": t("notes.label"),
  });
  field.addEventListener("input", () => {
    const mine = contact;
    const notes = field.value;
    clearTimeout(unsaved.get(mine.id)?.timer);
    const send = () => {
      unsaved.delete(mine.id);
      note(mine, { notes });
    };
    unsaved.set(mine.id, { timer: setTimeout(send, PAUSE_MS), send, notes });
  });
  return {
    el: field,
    value: () => field.value,
    update(now) {
      const other = contact?.id !== now.id;
      contact = now;
      const wanted = unsaved.get(now.id)?.notes ?? now.notes;
      if ((other || document.activeElement !== field) && field.value !== wanted) field.value = wanted;
    },
  };
}
