/* Files of a conversation. Their bytes stay with the channel: one that says it can `attach` keeps
   `/chat/NAME/desk/attachments`, from which agents read and to which they post (docs/console.md). */

import { Refused } from "../shared/session.js";
import { t } from "../shared/words.js";

export const FILES_MAX = 5;
const FILE_FIELDS = ["id", "name", "media_type", "bytes_n"];

/** Where the files of a contact are. */
export const filesOf = (contact) => `/chat/${encodeURIComponent(contact.channel)}/desk/attachments`;

/** Hands a file to the contact's channel; gives the attachment to post. Throws Refused. */
export async function upload(contact, file) {
  const body = new FormData();
  body.set("file", file, file.name);
  let answer;
  try {
    answer = await fetch(`${filesOf(contact)}?contact=${contact.id}`, {
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
  return Object.fromEntries(FILE_FIELDS.map((field) => [field, decoded[field]]));
}
