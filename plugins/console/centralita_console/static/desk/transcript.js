/* The transcript: what was said, by whom, and what is still on its way.

   Words are text nodes, and only `http`, `https` addresses in them become links. Pictures are shown from
   our own origin and only for a few image types; every other attachment is a download. */

import { h, reconcile, replace, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { ms } from "../shared/time.js";
import { bytes, clock, day, t } from "../shared/words.js";
import { addressOf } from "./files.js";
import { isMine, model, nameOf, titleOf } from "./model.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const NEAR_END_PX = 80;
const SAME_SPEAKER_MS = 120_000;
const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

/** The transcript of the contact in front, as a part. */
export function makeTranscript() {
  const list = h("ol", { class: "said", "aria-live": "polite", "aria-relevant": "additions" });
  const typing = h(
    "p",
    { class: "typing" },
    h("span", { class: "typing-dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("span"),
  );
  const el = h(
    "div",
    { class: "transcript", tabindex: "0", role: "log", "aria-label": t("talk.transcript") },
    list,
    typing,
  );
  let shown = 0;
  let atEnd = true;
  const toEnd = () => {
    if (atEnd) el.scrollTop = el.scrollHeight;
  };
  el.addEventListener("scroll", () => {
    atEnd = el.scrollHeight - el.scrollTop - el.clientHeight < NEAR_END_PX;
  });
  // Pictures come later than the message, and the composer grows: whoever read the end goes on reading it.
  const watch = new ResizeObserver(toEnd);
  watch.observe(list);
  watch.observe(el);
  return {
    el,
    update(contact) {
      if (shown !== contact.id) atEnd = true;
      shown = contact.id;
      reconcile(list, entriesOf(contact), (entry) => entry.key, makeEntry);
      const sign = model.typing.get(contact.id);
      show(typing, sign !== undefined);
      if (sign)
        setText(
          typing.lastChild,
          sign.by === "customer"
            ? t("talk.customer_types", { who: nameOf(contact) || t("customer.unknown") })
            : t("talk.customer_types", { who: titleOf(sign.by) }),
        );
      toEnd();
    },
  };
}

function entriesOf(contact) {
  const entries = [];
  let before = null;
  for (const message of contact.messages) {
    const at = ms(message.at_ns);
    if (before === null || new Date(before.at).toDateString() !== new Date(at).toDateString()) {
      if (before !== null || new Date(at).toDateString() !== new Date().toDateString())
        entries.push({ key: `${contact.id}:day:${at}`, kind: "day", at });
      before = null;
    }
    const speaker = `${message.author}/${message.author_id}/${message.internal}`;
    const again = before !== null && before.speaker === speaker && at - before.at < SAME_SPEAKER_MS;
    entries.push({ key: `${contact.id}:${message.number}:${again}`, kind: "message", message, contact, at, again });
    before = { at, speaker };
  }
  for (const message of model.outgoing.get(contact.id) ?? []) {
    entries.push({
      key: `${contact.id}:${message.message_id}`,
      kind: "outgoing",
      message,
      contact,
      at: message.at_ms,
    });
  }
  return entries;
}

function makeEntry(entry) {
  if (entry.kind === "day") return fixed(h("li", { class: "day" }, h("span", {}, day(entry.at))));
  const { message, contact } = entry;
  if (message.author === "system")
    return fixed(h("li", { class: "aside" }, h("span", {}, message.text), h("time", {}, clock(entry.at))));
  const mine = entry.kind === "outgoing" || isMine(message);
  const side =
    message.author === "customer"
      ? "theirs"
      : message.internal
        ? "internal"
        : mine
          ? "mine"
          : message.author === "bot"
            ? "bot"
            : "colleague";
  return fixed(
    h(
      "li",
      { class: `message ${side}${entry.again ? " again" : ""}${entry.kind === "outgoing" ? " sending" : ""}` },
      entry.again
        ? null
        : h(
            "p",
            { class: "by" },
            message.internal ? icon("lock") : null,
            h("span", {}, speaker(message, contact, mine)),
            message.internal ? h("em", {}, t("talk.internal")) : null,
          ),
      h(
        "div",
        { class: "bubble" },
        paragraphs(message.text),
        (message.attachments ?? []).map((file) => attachment(contact, file)),
      ),
      h("time", {}, entry.kind === "outgoing" ? t("talk.sending") : clock(entry.at)),
    ),
  );
}

const fixed = (el) => ({ el, update() {} });

function speaker(message, contact, mine) {
  if (mine) return t("talk.you");
  if (message.author === "customer") return nameOf(contact) || t("customer.unknown");
  if (message.author === "bot") return message.author_id || t("talk.bot");
  return titleOf(message.author_id);
}

/** Text with its web addresses as links that leave no trace of this page. */
export function paragraphs(text) {
  if (!text) return null;
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(LINK)) {
    parts.push(
      text.slice(at, found.index),
      h("a", { href: found[0], target: "_blank", rel: "noopener noreferrer nofollow" }, found[0]),
    );
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return h(
    "p",
    { class: "text", dir: "auto" },
    parts.filter((part) => part !== ""),
  );
}

function attachment(contact, file) {
  const address = addressOf(contact, file);
  const label = h("span", { class: "file-words" }, h("b", {}, file.name), h("small", {}, bytes(file.bytes_n)));
  if (!PICTURES.includes(file.media_type))
    return h("a", { class: "file", href: address, download: file.name }, icon("file"), label);
  const picture = h("img", {
    src: address,
    alt: file.name,
    loading: "lazy",
    decoding: "async",
    referrerpolicy: "no-referrer",
  });
  const link = h("a", { class: "picture", href: address, target: "_blank", rel: "noopener noreferrer" }, picture);
  picture.addEventListener("error", () => {
    link.className = "file";
    replace(link, icon("file"), label);
  });
  return link;
}
