/* Beginning a contact: a call out, an e-mail out, where a channel can. */

import { h } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { openDialog } from "../shared/dialog.js";
import { t, word } from "../shared/words.js";
import { place } from "./actions.js";
import { bringToFront, model } from "./model.js";

/** Opens the form; `known` fills it in. Nothing happens where no channel can begin a contact. */
export function openPlace(known = {}) {
  const channels = Object.entries(model.channels).filter(([, can]) => can.dial);
  if (!channels.length) return;
  openDialog(t("place.title"), (close) => {
    const channel = h(
      "select",
      { id: "place-channel" },
      channels.map(([name, can]) => h("option", { value: name }, `${word("medium", can.medium)} · ${name}`)),
    );
    const handle = h("input", {
      id: "place-handle",
      required: true,
      autocomplete: "off",
      maxlength: "320",
      value: known.handle,
      autofocus: true,
    });
    const name = h("input", { id: "place-name", autocomplete: "off", maxlength: "200", value: known.name });
    const queue = h(
      "select",
      { id: "place-queue" },
      h("option", { value: "" }, t("place.any_queue")),
      model.queues.map((one) => h("option", { value: one.name }, one.title || one.name)),
    );
    const subject = h("input", { id: "place-subject", autocomplete: "off", maxlength: "500" });
    const go = h("button", { type: "submit", class: "button primary" }, icon("voice"), t("place.do"));
    const submit = async (event) => {
      event.preventDefault();
      if (go.disabled) return;
      go.disabled = true;
      const done = await place({
        channel: channel.value,
        handle: handle.value.trim(),
        customer_name: name.value.trim(),
        queue: queue.value,
        subject: subject.value.trim(),
      });
      go.disabled = false;
      if (!done) return;
      close();
      if (done.contact) bringToFront(done.contact);
    };
    const row = (id, label, field) => h("div", { class: "row" }, h("label", { for: id }, label), field);
    return h(
      "form",
      { class: "dialog-body", on: { submit } },
      row("place-handle", t("place.handle"), handle),
      row("place-channel", t("place.channel"), channel),
      row("place-name", t("place.name"), name),
      row("place-queue", t("fact.queue"), queue),
      row("place-subject", t("place.subject"), subject),
      h(
        "div",
        { class: "dialog-do" },
        h("button", { type: "button", class: "button", on: { click: close } }, t("do.cancel")),
        go,
      ),
    );
  });
}
