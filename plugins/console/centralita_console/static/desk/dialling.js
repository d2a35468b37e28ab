/* While customer and agent are being brought together: a callback, a placed contact, a ringing phone. */

import { h, set, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { toast } from "../shared/dialog.js";
import { t } from "../shared/words.js";
import { report } from "./actions.js";
import { model } from "./model.js";

const PHONE = /^\+?[\d\s().-]{4,}$/;

/** The panel of a contact that is connecting, as a part.
 *  Where no channel can dial, the agent does, and says whether somebody answered. */
export function makeDialling() {
  let contact = null;
  const title = h("p", { class: "dial-title" });
  const number = h("a", { class: "dial-number" });
  const attempt = h("p", { class: "faint" });
  const copy = h(
    "button",
    { type: "button", class: "button quiet", on: { click: () => copyNumber(number.textContent) } },
    icon("copy"),
    t("dial.copy"),
  );
  const reached = h(
    "button",
    { type: "button", class: "button primary", on: { click: () => report(contact, true) } },
    icon("check"),
    t("dial.reached"),
  );
  const missed = h(
    "button",
    { type: "button", class: "button", on: { click: () => report(contact, false) } },
    icon("end"),
    t("dial.not_reached"),
  );
  const el = h(
    "div",
    { class: "dialling", role: "status" },
    title,
    number,
    attempt,
    h("div", { class: "dial-do" }, copy, reached, missed),
  );
  return {
    el,
    update(now) {
      contact = now;
      const handle = now.callback_handle || (now.direction === "outbound" ? now.handle : "");
      const channel = now.callback_channel || now.channel;
      const byHand = handle !== "" && model.channels[channel]?.dial !== true;
      setText(title, byHand ? t("dial.by_hand") : handle ? t("dial.dialling") : t("dial.connecting"));
      setText(number, handle);
      set(
        number,
        "href",
        PHONE.test(handle)
          ? `tel:${handle.replace(/[^\d+]/g, "")}`
          : handle.includes("@")
            ? `mailto:${encodeURIComponent(handle)}`
            : null,
      );
      show(number, handle !== "");
      setText(attempt, now.callback_attempts > 1 ? t("dial.attempt", { n: now.callback_attempts }) : "");
      show(copy, byHand);
      show(reached, byHand);
      show(missed, byHand);
    },
  };
}

async function copyNumber(number) {
  try {
    await navigator.clipboard.writeText(number);
    toast(t("dial.copied"), "good");
  } catch {
    toast(t("dial.copy_failed"), "bad");
  }
}
