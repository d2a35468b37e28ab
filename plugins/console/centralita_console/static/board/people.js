/* The agents: the ribbon at the foot of the wall, and the list in which a supervisor changes a status. */

import { barredContacts } from "../shared/barred.js";
import { h, reconcile, replace, set, setData, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { openDialog, openMenu, toast } from "../shared/dialog.js";
import { Refused, api } from "../shared/session.js";
import { ms } from "../shared/time.js";
import { initials, t, whole, word } from "../shared/words.js";
import { agentTitle, model } from "./model.js";

export const STATES = ["idle", "offered", "connected", "full", "wrapping", "break", "lost", "offline"];
const TILES_MAX = 60;

const inOrder = (agents) =>
  [...agents].sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || a.since_ns - b.since_ns);

/** The ribbon: how many in each state, and everybody who is here. */
export function makeRibbon(open) {
  const counts = h("ul", { class: "counts", "aria-label": t("agents.by_state") });
  const bar = h("div", { class: "state-bar", "aria-hidden": "true" });
  const tiles = h("ul", { class: "people", "aria-label": t("agents.title") });
  return {
    el: h(
      "footer",
      { class: "ribbon", on: { click: open } },
      h("div", { class: "ribbon-head" }, h("h2", {}, t("agents.title")), counts),
      bar,
      tiles,
    ),
    update() {
      const { agents } = model.board;
      const groups = STATES.map((state) => ({
        state,
        n: agents.filter((agent) => agent.state === state).length,
      })).filter((group) => group.n > 0);
      reconcile(counts, groups, (group) => group.state, makeCount);
      reconcile(
        bar,
        groups.filter((group) => group.state !== "offline"),
        (group) => group.state,
        ({ state }) => {
          const part = h("span", { class: state });
          return { el: part, update: (group) => part.style.setProperty("flex-grow", String(group.n)) };
        },
      );
      reconcile(
        tiles,
        inOrder(agents)
          .filter((agent) => agent.state !== "offline")
          .slice(0, TILES_MAX),
        (agent) => agent.name,
        makePerson,
      );
    },
  };
}

function makeCount({ state }) {
  const n = h("b");
  return {
    el: h(
      "li",
      {},
      h("span", { class: `dot ${state}`, "aria-hidden": "true" }),
      n,
      h("span", {}, word("state", state)),
    ),
    update: (group) => setText(n, whole(group.n)),
  };
}

function makePerson() {
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const name = h("span", { class: "person-name" });
  const state = h("span", { class: "person-state" });
  const time = h("span", { class: "person-time" });
  const el = h("li", { class: "person" }, dot, name, state, time);
  return {
    el,
    update(agent) {
      dot.className = `dot ${agent.state}`;
      setData(el, "state", agent.state);
      setText(name, agent.title || agent.name);
      setText(state, stateWords(agent));
      setData(time, "since", ms(agent.since_ns));
    },
  };
}

const stateWords = (agent) =>
  agent.state === "break" && agent.reason ? word("break", agent.reason) : word("state", agent.state);

/** The list in the drawer. */
export function makePeople() {
  const list = h("ul", { class: "staff" });
  return { el: list, update: () => reconcile(list, inOrder(model.board.agents), (agent) => agent.name, makeStaff) };
}

function makeStaff(first) {
  let agent = first;
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const name = h("strong");
  const state = h("span", { class: "faint" });
  const time = h("span", { class: "staff-time" });
  const works = h("ul", { class: "works" });
  const change = h(
    "button",
    { type: "button", class: "button quiet", "aria-haspopup": "menu", "aria-expanded": "false" },
    t("agents.change"),
    icon("down"),
  );
  change.addEventListener("click", () => openMenu(change, statusItems(agent)));
  const why = h(
    "button",
    {
      type: "button",
      class: "button quiet icon-only",
      title: t("agents.why"),
      "aria-label": t("agents.why"),
      on: { click: () => openAgentWhy(agent) },
    },
    icon("question"),
  );
  return {
    el: h(
      "li",
      { class: "staff-one" },
      h("span", { class: "face", "aria-hidden": "true" }, initials(first.title || first.name)),
      h("div", { class: "staff-words" }, name, h("span", { class: "staff-line" }, dot, state, time), works),
      why,
      h("div", { class: "menu-place" }, change),
    ),
    update(now) {
      agent = now;
      dot.className = `dot ${agent.state}`;
      setText(name, agent.title || agent.name);
      setText(state, stateWords(agent));
      setData(time, "since", agent.state === "offline" ? null : ms(agent.since_ns));
      if (agent.state === "offline") setText(time, "");
      set(change, "aria-label", t("agents.change_of", { who: agent.title || agent.name }));
      show(change, agent.state !== "offline");
      reconcile(
        works,
        Object.entries(agent.works),
        ([id]) => id,
        ([id]) => {
          const el = h("li");
          return { el, update: ([, work]) => setText(el, `#${id} ${word("work", work.state)}`) };
        },
      );
    },
  };
}

function statusItems(agent) {
  const status = (status, reason = "") =>
    post(`/api/agents/${encodeURIComponent(agent.name)}/status`, { status, reason });
  return [
    {
      label: t("status.available"),
      dot: "idle",
      checked: agent.status === "available",
      act: () => status("available"),
    },
    { label: t("status.break"), dot: "break", checked: agent.status === "break", act: () => status("break", "") },
    null,
    {
      label: t("status.leave_when_free"),
      icon: "clock",
      act: () => post(`/api/agents/${encodeURIComponent(agent.name)}/sign-out`, { when_free: true }),
    },
    {
      label: t("status.leave_now"),
      icon: "leave",
      act: () => post(`/api/agents/${encodeURIComponent(agent.name)}/sign-out`, { when_free: false }),
    },
  ];
}

/** One command of a supervisor; true when it was done. */
export async function post(path, body) {
  try {
    await api("POST", path, body);
    toast(t("do.done"), "good");
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.message, "bad");
    return false;
  }
}

function openAgentWhy(agent) {
  openDialog(
    t("agents.why_title", { who: agentTitle(agent.name) }),
    () => {
      const body = h(
        "div",
        { class: "dialog-body", "aria-live": "polite" },
        h("p", { class: "faint" }, t("why.asking")),
      );
      fillAgentWhy(body, agent);
      return body;
    },
    { wide: true },
  );
}

async function fillAgentWhy(body, agent) {
  try {
    const answer = await api("GET", `/api/agents/${encodeURIComponent(agent.name)}/why`);
    replace(
      body,
      answer.contacts.length ? barredContacts(answer) : h("p", { class: "nothing" }, icon("check"), t("why.nobody")),
    );
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    replace(body, h("p", { class: "problem" }, error.message));
  }
}
