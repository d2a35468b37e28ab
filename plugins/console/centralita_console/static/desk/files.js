/* Files of a conversation. Their bytes stay with the channel: one that says it can `attach` gives them out
   and takes them under `/chat/NAME/desk/` (docs/console.md). */

import { Refused } from "../shared/session.js";
import { t } from "../shared/words.js";

export const FILES_MAX = 5;
const FILE_FIELDS = ["id", "name", "media_type", "bytes_n"];

const deskOf = (contact) => `/chat/${encodeURIComponent(contact.channel)}/desk`;

/** Where an agent finds a file. */
export const addressOf = (contact, file) => 
  `${deskOf(contact)}/contacts/${contact.id}/attachments/${encodeURIComponent(file.id)}`;

/** Hands a file to the contact's channel; gives the attachment to post. Throws Refused. */
export async function upload(contact, file) {
  const body = new FormData();
  body.set("file", file, file.name);
  let answer;
  try {
    answer = await fetch(`${deskOf(contact)}/contacts/${contact.id}/attachments`, {
      method: "POST",
      credentials: "same-origin",
      body,
    });
  } catch {
    throw new Refused("unreachable", t("error.unreachable"));
  }
  const decoded = await answer.json().catch(() => null);
  if (!answer.ok)
    throw new Refused(decoded?.code ?? `http_${answer.status}`, decoded?.message ?? answer.statusText, answer.status);
  if (!decoded) throw new Refused("unreachable", t("error.unreachable")); // the line broke within the answer
  return Object.fromEntries(FILE_FIELDS.map((field) => [field, decoded[field]]));
}
