/* The left rail: who I am and my status, my conversations, and what else I can open. */

import { h, reconcile, set, setData, setText, show } from "../shared/dom.js";
import { icon, mark, mediumIcon } from "../shared/icons.js";
import { chooseNotes, chooseSound, lookItems, notesOn, soundOn } from "../shared/look.js";
import { openMenu, toast } from "../shared/dialog.js";
import { signOut } from "../shared/session.js";
import { ms } from "../shared/time.js";
import { initials, t, word } from "../shared/words.js";
import { setStatus, signOff } from "./actions.js";
import {
  bringToFront,
  can,
  conversations,
  model,
  nameOf,
  owedSince,
  queueTitle,
  stateOf,
  unread,
  workOf,
} from "./model.js";
import { openPlace } from "./place.js";
import { openWhy } from "./why.js";
import { openKeys } from "./keys.js";

const OWED_LATE_MS = 120_000;

/** The rail, as a part. */
export function makeRail() {
  const status = makeStatus();
  const list = h("ol", { class: "talks", "aria-label": t("rail.conversations") });
  const count = h("span", { class: "count" });
  const none = h("p", { class: "rail-empty" }, t("rail.none"));
  const place = h(
    "button",
    { type: "button", class: "rail-action", id: "open-place", on: { click: () => openPlace() } },
    icon("plus"),
    h("span", {}, t("place.open")),
    h("kbd", {}, "Alt P"),
  );
  const el = h(
    "aside",
    { class: "rail", "aria-label": t("rail.label") },
    h("div", { class: "brand" }, mark(), h("span", {}, "Centralita")),
    status.el,
    h("h2", { class: "rail-heading" }, t("rail.conversations"), count),
    none,
    list,
    h(
      "div",
      { class: "rail-foot" },
      place,
      h(
        "button",
        { type: "button", class: "rail-action", on: { click: () => openWhy() } },
        icon("question"),
        h("span", {}, t("why.open")),
        h("kbd", {}, "Alt Y"),
      ),
      h(
        "button",
        { type: "button", class: "rail-action", on: { click: () => openKeys() } },
        icon("keyboard"),
        h("span", {}, t("keys.open")),
        h("kbd", {}, "?"),
      ),
      settingsButton(),
    ),
  );
  return {
    el,
    update() {
      const talks = conversations();
      status.update();
      setText(count, talks.length || "");
      show(none, talks.length === 0);
      show(
        place,
        Object.values(model.channels).some((channel) => channel.dial),
      );
      reconcile(list, talks, (contact) => contact.id, makeTalk);
    },
  };
}

function settingsButton() {
  const button = h(
    "button",
    { type: "button", class: "rail-action", "aria-haspopup": "menu", "aria-expanded": "false" },
    icon("settings"),
    h("span", {}, t("settings.open")),
  );
  button.addEventListener("click", () =>
    openMenu(
      button,
      [
        ...lookItems(),
        null,
        { label: t("settings.sound"), checked: soundOn(), act: () => chooseSound(!soundOn()) },
        {
          label: t("settings.notifications"),
          checked: notesOn(),
          act: () => chooseNotes(!notesOn()).catch(() => toast(t("settings.notifications_refused"), "bad")),
        },
      ],
      { above: true },
    ),
  );
  return h("div", { class: "menu-place" }, button);
}

function makeStatus() {
  const face = h("span", { class: "face", "aria-hidden": "true" });
  const name = h("strong", { class: "me-name" });
  const state = h("span", { class: "me-state" });
  const time = h("span", { class: "me-time" });
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const units = h("span", { class: "units-used" });
  const unitsBar = h(
    "span",
    { class: "units", role: "meter", "aria-label": t("rail.capacity"), "aria-valuemin": "0" },
    units,
  );
  const button = h(
    "button",
    {
      type: "button",
      id: "status",
      class: "me",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-keyshortcuts": "Alt+S",
    },
    face,
    h("span", { class: "me-words" }, name, h("span", { class: "me-line" }, dot, state, time)),
    icon("down", "me-open"),
  );
  button.addEventListener("click", () => openMenu(button, statusItems()));
  return {
    el: h("div", { class: "me-box menu-place" }, button, unitsBar),
    update() {
      const agent = model.agent;
      const title = agent.title || agent.name;
      setText(face, initials(title));
      setText(name, title);
      const shown = shownState(agent);
      setText(
        state,
        agent.state === "break" && agent.reason
          ? word("break", agent.reason)
          : word("state", agent.leaving ? "leaving" : shown),
      );
      dot.className = `dot ${shown}`;
      setData(time, "since", agent.state === "offline" ? null : ms(agent.since_ns));
      if (agent.state === "offline") setText(time, "");
      set(button, "aria-label", t("status.now", { state: state.textContent }));
      set(unitsBar, "aria-valuemax", agent.capacity);
      set(unitsBar, "aria-valuenow", agent.units_used);
      set(unitsBar, "title", t("rail.units", { used: agent.units_used, all: agent.capacity }));
      units.style.setProperty("--share", String(Math.min(1, agent.units_used / agent.capacity)));
    },
  };
}

/** An agent who still talks but has chosen a break is shown as on break: the choice is what matters. */
const shownState = (agent) =>
  agent.status === "break" && agent.state !== "offline" && agent.state !== "lost" ? "break" : agent.state;

function statusItems() {
  const { agent } = model;
  const here = agent.state !== "offline";
  return [
    {
      label: t("status.available"),
      dot: "idle",
      checked: here && agent.status === "available",
      act: () => setStatus("available"),
    },
    ...model.breakReasons.map((reason) => ({
      label: word("break", reason),
      dot: "break",
      checked: here && agent.status === "break" && agent.reason === reason,
      act: () => setStatus("break", reason),
    })),
    ...(here
      ? [
          null,
          { label: t("status.leave_when_free"), icon: "clock", act: () => signOff(true) },
          { label: t("status.leave_now"), icon: "leave", act: () => signOff(false) },
        ]
      : []),
    null,
    { label: t("status.close_session"), icon: "lock", act: signOut },
  ];
}

function makeTalk(first) {
  const kind = h(
    "span",
    { class: "talk-kind" },
    mediumIcon(first.direction === "consultation" ? "consult" : first.medium),
  );
  const who = h("span", { class: "talk-who" });
  const last = h("span", { class: "talk-last", dir: "auto" });
  const clock = h("span", { class: "talk-clock" });
  const badge = h("span", { class: "talk-unread" });
  const button = h(
    "button",
    { type: "button", class: "talk", on: { click: () => bringToFront(first.id) } },
    kind,
    h("span", { class: "talk-words" }, who, last),
    h("span", { class: "talk-side" }, clock, badge),
  );
  return {
    el: h("li", {}, button),
    update(contact) {
      const work = workOf(contact);
      const n = unread(contact);
      const owed = owedSince(contact);
      set(button, "aria-current", contact.id === model.front ? "true" : null);
      setData(button, "state", stateOf(contact));
      setText(who, nameOf(contact) || t("customer.unknown"));
      setText(last, lastWords(contact));
      setText(badge, n || "");
      show(badge, n > 0);
      set(badge, "aria-label", n ? t("rail.unread", { n }) : null);
      paintClock(clock, work, owed);
    },
  };
}

function paintClock(clock, work, owed) {
  const counts = work.state === "wrapping" || work.state === "connecting";
  setData(clock, "until", counts && work.deadline_ns ? ms(work.deadline_ns) : null);
  setData(clock, "since", counts ? null : ms(owed || work.since_ns));
  setData(clock, "urgent", counts ? 10_000 : null);
  setData(clock, "late", !counts && owed > 0 ? OWED_LATE_MS : null);
  clock.classList.toggle("owed", !counts && owed > 0);
  set(clock, "title", counts ? word("work", work.state) : owed ? t("rail.owed") : t("rail.talking"));
}

function lastWords(contact) {
  if (model.typing.has(contact.id)) return t("talk.typing");
  if (stateOf(contact) !== "connected") return word("work", stateOf(contact));
  const last = contact.messages.findLast((message) => message.text && !message.internal);
  return last?.text ?? (contact.subject || (can(contact, "typing") ? t("talk.silent") : queueTitle(contact.queue)));
}
