/* The engine's clock, and everything on the page that ticks by it.

   Views carry absolute nanoseconds. They are read as milliseconds of the engine's clock, whose
   distance from this machine's is learnt from each `now_ns`: a desk whose clock is wrong still counts
   an offer down rightly. What ticks says so in its own attributes (`data-since`, `data-until`, `data-from`;
   in ms, `data-late` and `data-urgent`), so a node that is thrown away needs no unregistering. */

import { duration, t } from "./words.js";

const TICK_MS = 250;
const NS_A_MS = 1e6;
let ahead_ms = 0;

/** Milliseconds of the engine's clock for a view's nanoseconds. */
export const ms = (ns) => ns / NS_A_MS;

/** The engine's time now, in ms. */
export const now = () => Date.now() + ahead_ms;

/** Learns the engine's clock. */
export function setNow(now_ns) {
  ahead_ms = ms(now_ns) - Date.now();
}

/** Attributes of a node that shows the time since `since_ns`. */
export const since = (since_ns) => (since_ns > 0 ? { since: ms(since_ns) } : {});

/** Ticks what says that it ticks, and calls `also` each time. */
export function startTicking(also = () => {}) {
  const tick = () => {
    const at = now();
    for (const node of document.querySelectorAll("[data-since]")) {
      const passed = at - Number(node.dataset.since);
      say(node, duration(passed));
      node.classList.toggle("late", passed >= Number(node.dataset.late ?? Infinity));
    }
    for (const node of document.querySelectorAll("[data-until]")) {
      const left = Number(node.dataset.until) - at;
      if (node.dataset.from) node.style.setProperty("--left", String(share(left, node)));
      else say(node, left > 0 ? duration(left + 999) : t("time.up"));
      node.classList.toggle("urgent", left < Number(node.dataset.urgent ?? 5000));
    }
    also(at);
  };
  setInterval(tick, TICK_MS);
  return tick;
}

function share(left, node) {
  const whole = Number(node.dataset.until) - Number(node.dataset.from);
  return whole > 0 ? Math.min(1, Math.max(0, left / whole)) : 0;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
