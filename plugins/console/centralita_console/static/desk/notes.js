/* The notes of a contact, kept with it while they are written. */

import { h } from "../shared/dom.js";
import { t } from "../shared/words.js";
import { note } from "./actions.js";
import { model } from "./model.js";

const PAUSE_MS = 800;
const LENGTH_MAX = 10_000;
/** By contact, what the server has not said that it has: it stays in the fields, whatever comes in meanwhile. */
const unsaved = new Map();

/** Sends what has not been sent yet. */
export function flushNotes() {
  for (const entry of [...unsaved.values()]) send(entry);
}

async function send(entry) {
  clearTimeout(entry.timer);
  if (entry.sent) return;
  entry.sent = true;
  const done = await note(entry.contact, { notes: entry.notes });
  const known = model.contacts.get(entry.contact.id);
  if (done && known) known.notes = entry.notes; // the reply may come before the update
  if (unsaved.get(entry.contact.id) === entry) unsaved.delete(entry.contact.id);
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
    clearTimeout(unsaved.get(contact.id)?.timer);
    const entry = { contact, notes: field.value, sent: false, timer: setTimeout(() => send(entry), PAUSE_MS) };
    unsaved.set(contact.id, entry);
  });
  return {
    el: field,
    value: () => unsaved.get(contact.id)?.notes ?? field.value,
    update(now) {
      const other = contact?.id !== now.id;
      contact = now;
      const wanted = unsaved.get(now.id)?.notes ?? now.notes;
      if ((other || document.activeElement !== field) && field.value !== wanted) field.value = wanted;
    },
  };
}
