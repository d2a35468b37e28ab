/* When a figure is good, a warning or bad. Nothing here draws; every judgement has a word and a sign. */

import { ms, now } from "../shared/time.js";

const WARN_AT_TARGET_SHARE = 0.5;

/** Thresholds of the service level, from the console's settings. */
export const goals = { service_level_goal: 0.8, service_level_alarm: 0.6 };

/** The longest wait of a queue against its answer target. "" when nobody waits. */
export function judgeWait(queue) {
  if (!queue.waiting || queue.longest_wait_since_ns <= 0) return "";
  const share = pressure(queue);
  if (share >= 1) return "bad";
  return share >= WARN_AT_TARGET_SHARE ? "warn" : "good";
}

/** A service level as a share; null, when nothing was decided yet, is not judged. */
export function judgeLevel(share) {
  if (share === null || share === undefined) return "";
  if (share >= goals.service_level_goal) return "good";
  return share >= goals.service_level_alarm ? "warn" : "bad";
}

/** How far a queue's longest wait has gone, as a share of its answer target. */
export const pressure = (queue) =>
  (now() - ms(queue.longest_wait_since_ns)) / 1000 / Math.max(1, queue.answer_target_s);

/** What is wrong with the house as a whole: components that are down, queues that nobody serves. */
export function alarmsOf(board) {
  const down = board.components.filter(
    (component) => component.state === "down" || (component.state === "starting" && component.error),
  );
  const unserved = board.queues.filter((queue) => queue.open && queue.waiting > 0 && queue.agents_present === 0);
  return { down, unserved };
}
