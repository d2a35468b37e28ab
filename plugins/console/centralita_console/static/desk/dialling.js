/* While customer and agent are being brought together: a callback, a placed contact, a ringing phone. */

import { h, set, setData, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { toast } from "../shared/dialog.js";
import { t } from "../shared/words.js";
import { report } from "./actions.js";
import { dialsByHand, handleToReach, isPhone, workOf } from "./model.js";

/** The panel of whom to reach, as a part. Where no channel can dial, the agent does, and says whether
 *  somebody answered; the number stays in sight while they speak. */
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
      const { state } = workOf(now);
      const handle = handleToReach(now);
      const mine = dialsByHand(now);
      const asks = mine && state === "connecting";
      show(el, !now.asked && (state === "connecting" || (mine && state === "connected")));
      setData(el, "state", state);
      setText(title, titleFor(mine, asks, handle));
      setText(number, handle);
      set(
        number,
        "href",
        isPhone(handle) ? `tel:${handle.replace(/[^\d+]/g, "")}` : `mailto:${encodeURIComponent(handle)}`,
      );
      show(number, handle !== "");
      setText(attempt, now.callback_attempts > 1 ? t("dial.attempt", { n: now.callback_attempts }) : "");
      show(copy, mine);
      show(reached, asks);
      show(missed, asks);
    },
  };
}

function titleFor(mine, asks, handle) {
  if (asks) return t("dial.by_hand");
  if (mine) return t("dial.dial");
  return handle ? t("dial.dialling") : t("dial.connecting");
}

async function copyNumber(number) {
  try {
    await navigator.clipboard.writeText(number);
    toast(t("dial.copied"), "good");
  } catch {
    toast(t("dial.copy_failed"), "bad");
  }
}
