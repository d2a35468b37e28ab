/* What an agent can do, as commands. Each says by itself when it was refused. */

import { Refused } from "../shared/session.js";
import { toast } from "../shared/dialog.js";
import { t, word } from "../shared/words.js";
import { bringToFront, changed, dropOutgoing, isOffer, keepDraft, letGo, model, offers, showOutgoing, workOf } from "./model.js";

let link = null;

/** The connection that carries the commands. */
export function useConnection(connection) {
  link = connection;
}

let given = { said: "", done: null };

/** Gives a command; null when it was refused, which is said: by `words` for a code, or in general. The same again,
 *  before there is a reply and with nothing between, is the same: a key pressed twice on a slow link. */
export function give(command, fields = {}, words = {}) {
  const said = JSON.stringify([command, fields]);
  if (given.said === said && command !== "ExtendWrapUp") return given.done;
  const now = { said, done: send(command, fields, words) };
  given = now;
  now.done.finally(() => given === now && (given = { said: "", done: null }));
  return now.done;
}

async function send(command, fields, words) {
  try {
    return await link.command(command, fields);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(words[error.code] ?? refusalWords(error), "bad");
    return null;
  }
}

export const refusalWords = (error) => {
  const ours = word("refusal", error.code);
  return ours === error.code ? error.message : ours;
};

export const setStatus = (status, reason = "") =>
  model.agent.state === "offline" || model.agent.state === "lost"
    ? give("SignIn", { status, reason })
    : give("SetStatus", { status, reason });

export const signOff = (whenFree) => give("SignOut", { when_free: whenFree });

/** Accepts the oldest offer, or the one given, and brings it to the front, unless something else is brought there
 *  before it is ours: whoever went on elsewhere may be writing. */
export async function accept(contact = offers()[0]) {
  if (!contact || !isOffer(contact)) return;
  bringToFront(contact.id);
  const done = await give("AnswerOffer", { contact: contact.id, offer: workOf(contact).offer, accept: true });
  if (!done && model.awaited === contact.id) model.awaited = 0;
}

export const decline = (contact, reason) =>
  isOffer(contact) &&
  give("AnswerOffer", { contact: contact.id, offer: workOf(contact).offer, accept: false, reason });

/** Says something. It shows at once, and stays marked as on its way until the server has it. `files` are a
 *  draft's, each handed over: a message that is refused is a draft again. */
export async function say(contact, text, internal, files = []) {
  const message_id = newId();
  const attachments = files.map((entry) => entry.attachment);
  showOutgoing(contact.id, { message_id, text, internal, attachments });
  const done = await give("PostMessage", { contact: contact.id, text, internal, message_id, attachments });
  if (!done) {
    dropOutgoing(contact.id, message_id);
    keepDraft(contact, { text, internal, files });
    changed();
  }
}

export const hold = (contact) =>
  give(contact.phase === "on_hold" ? "ResumeContact" : "HoldContact", { contact: contact.id });
export const end = (contact) => give("EndContact", { contact: contact.id });
export const leave = (contact) => give("LeaveContact", { contact: contact.id });
export const note = (contact, fields) => give("NoteContact", { contact: contact.id, ...fields });
export const finish = (contact, disposition, notes) =>
  give("FinishWrapUp", { contact: contact.id, disposition, notes });
export const extend = (contact, seconds) => give("ExtendWrapUp", { contact: contact.id, seconds });
export const transfer = (contact, target, words) =>
  give("TransferContact", { contact: contact.id, target, note: words });
export const consult = (contact, target, words) =>
  give("StartConsultation", { contact: contact.id, target, note: words });
export const endConsultation = (contact, then) =>
  give("EndConsultation", { contact: contact.id, then }, { wrong_phase: t("consult.not_yet") });
/** Says whether the customer was reached. One who was not goes back to wait, or is given up: no longer ours. */
export async function report(contact, made) {
  const done = await give("ReportConnection", { contact: contact.id, made, customer_gone: !made });
  if (!done || made) return;
  letGo(contact);
}

/** Has the connection do something (mute, record); what is so afterwards is kept for the strip of controls. */
export async function control(contact, word, value = "") {
  try {
    model.lines.set(contact.id, await link.control(word, { contact: contact.id, value }));
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // The channel knows better than a code why.
    toast(error.message || refusalWords(error), "bad");
    return false;
  } finally {
    changed();
  }
}

export const place = (fields) => give("PlaceContact", { provider_id: newId(), ...fields });

/** What was said earlier, asked once for a contact, and again when it comes to be known whose it is. */
export async function loadHistory(contact) {
  const of = contact.customer?.id;
  const known = model.histories.get(contact.id);
  if (known && known.of === of) return;
  const asked = { of, state: "loading", past: [] };
  model.histories.set(contact.id, asked);
  let found;
  try {
    const past = await link.ask("history", { contact: contact.id });
    found = { of, state: "loaded", past: past.filter((one) => ![contact.id, contact.parent].includes(one.contact)) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    found = { of, state: "failed", past: [], words: refusalWords(error) };
  }
  if (model.histories.get(contact.id) !== asked) return; // the customer came to be known, or the contact is gone
  model.histories.set(contact.id, found);
  changed();
}

export const whyNotMe = () => link.ask("why");

const TYPING_AGAIN_MS = 3000;
const typed = new Map();

/** Tells the customer that somebody types, at most every few seconds; `on` false takes it back. */
export function typing(contact, on) {
  const last = typed.get(contact.id) ?? 0;
  if (on ? Date.now() - last < TYPING_AGAIN_MS : last === 0) return;
  if (on) typed.set(contact.id, Date.now());
  else typed.delete(contact.id);
  link.signal("typing", { contact: contact.id, on });
}

const newId = () =>
  globalThis.crypto.randomUUID?.() ??
  [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
