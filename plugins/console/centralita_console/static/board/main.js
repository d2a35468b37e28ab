/* The wall board: signs in, listens to the picture of the house, and puts the parts together. */

import { h, isTyping, reconcile, replace, set, setText, show, takeDoubleClicksAsOne } from "../shared/dom.js";
import { icon, mark } from "../shared/icons.js";
import { flipTheme, lookItems } from "../shared/look.js";
import { openDialog, openMenu } from "../shared/dialog.js";
import { api, sessionIsOver, signOut, signedIn } from "../shared/session.js";
import { now, setNow, startTicking } from "../shared/time.js";
import { clock, day, t, whole } from "../shared/words.js";
import { alarmsOf, goals } from "./judge.js";
import { changed, model, onChange, take, waitingN } from "./model.js";
import { makePeople, makeRibbon } from "./people.js";
import { makeWaiting } from "./waiting.js";
import { makeWall } from "./wall.js";

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 15_000;
const JUDGE_AGAIN_MS = 1000;
const TABS = ["waiting", "agents"];
const KEYS = [
  ["W", "keys.waiting"],
  ["A", "keys.agents"],
  ["T", "keys.theme"],
  ["F", "keys.full"],
  ["?", "keys.help"],
  ["Esc", "keys.close"],
];

const place = document.getElementById("app");
takeDoubleClicksAsOne();
model.me = await signedIn(place, (me) =>
  ["supervisor", "admin"].includes(me.role) ? "" : t("signin.not_a_supervisor"),
);
document.title = `${t("board.title")} · Centralita`;
Object.assign(goals, await api("GET", "/console/settings.json"));
replace(place, h("p", { class: "opening", role: "status" }, t("link.opening")));
listen(0);

/** Listens for ever. The browser takes a broken stream up again by itself; a refused one it gives up,
 *  and then it is either the session that is over or a server that is not there yet. */
function listen(failures) {
  const stream = new EventSource("/api/board");
  stream.addEventListener("board", (event) => {
    failures = 0;
    const board = JSON.parse(event.data);
    setNow(board.now_ns);
    take(board);
  });
  stream.addEventListener("error", async () => {
    if (model.live) model.stale_ms = now();
    model.live = false;
    changed();
    if (stream.readyState !== EventSource.CLOSED) return;
    if (await sessionIsOver()) return location.reload();
    setTimeout(() => listen(failures + 1), Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures));
  });
}

let parts = null;
onChange(() => {
  if (model.board === null) return;
  parts ??= build();
  for (const part of parts) part.update();
  tick();
});

// A picture comes when something happens; waits grow, and what is thought of them, when nothing does.
setInterval(changed, JUDGE_AGAIN_MS);

const time = h("time", { class: "wall-clock" });
const date = h("span", { class: "wall-date" });
const tick = startTicking((at) => {
  setText(time, clock(at));
  setText(date, day(at));
});

function build() {
  const head = makeHead();
  const alarm = makeAlarm();
  const wall = makeWall((queue) => openDrawer("waiting", queue));
  const ribbon = makeRibbon(() => openDrawer("agents"));
  const drawer = makeDrawer();
  replace(
    place,
    h(
      "div",
      { class: "board" },
      head.el,
      alarm.el,
      h("main", { class: "board-main" }, wall.el),
      ribbon.el,
      drawer.el,
    ),
  );
  document.addEventListener("keydown", onKey);
  return [head, alarm, wall, ribbon, drawer];
}

function makeHead() {
  const stale = h("span", { class: "stale", role: "alert" }, icon("link"), h("span"));
  const settings = h(
    "button",
    {
      type: "button",
      class: "button quiet",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-label": t("settings.open"),
    },
    icon("settings"),
  );
  settings.addEventListener("click", () =>
    openMenu(settings, [
      ...lookItems(),
      null,
      { label: t("keys.full"), icon: "full", hint: "F", act: fullScreen },
      { label: t("keys.open"), icon: "keyboard", hint: "?", act: openKeys },
      null,
      { label: t("status.close_session"), icon: "lock", act: signOut },
    ]),
  );
  const open = (name, picture, keys) =>
    h(
      "button",
      {
        type: "button",
        class: "button quiet",
        id: `open-${name}`,
        "aria-keyshortcuts": keys,
        on: { click: () => openDrawer(name) },
      },
      icon(picture),
      t(`drawer.${name}`),
    );
  const el = h(
    "header",
    { class: "board-head" },
    h("div", { class: "board-brand" }, mark(), h("h1", {}, "Centralita")),
    stale,
    h(
      "nav",
      { class: "board-do", "aria-label": t("drawer.label") },
      open("waiting", "clock", "W"),
      open("agents", "people", "A"),
      h("div", { class: "menu-place end" }, settings),
    ),
    h("div", { class: "board-time" }, date, time),
  );
  return {
    el,
    update() {
      show(stale, !model.live);
      if (!model.live)
        setText(
          stale.lastChild,
          model.stale_ms ? t("board.stale", { time: clock(model.stale_ms) }) : t("link.trying"),
        );
      document.body.classList.toggle("is-stale", !model.live);
    },
  };
}

/** What must not be overlooked: across the whole width, with words, a sign and a colour. */
function makeAlarm() {
  const list = h("ul");
  const el = h("section", { class: "alarm", role: "alert", "aria-label": t("alarm.label") }, icon("alert"), list);
  return {
    el,
    update() {
      const { down, unserved } = alarmsOf(model.board);
      const lines = [
        ...down.map((one) => ({
          key: `c/${one.kind}/${one.name}`,
          since_ns: one.since_ns,
          words: t("alarm.down", { name: one.name, kind: one.kind, error: one.error }),
        })),
        ...unserved.map((one) => ({
          key: `q/${one.name}`,
          since_ns: 0,
          words: t("alarm.unserved", { queue: one.title || one.name, n: one.waiting }),
        })),
      ];
      show(el, lines.length > 0);
      reconcile(
        list,
        lines,
        (line) => line.key,
        () => {
          const words = h("span");
          const since = h("span", { class: "alarm-time", role: "timer" });
          return {
            el: h("li", {}, words, since),
            update(line) {
              setText(words, line.words);
              if (line.since_ns) since.dataset.since = String(line.since_ns / 1e6);
            },
          };
        },
      );
    },
  };
}

function makeDrawer() {
  const parts = { waiting: makeWaiting(), agents: makePeople() };
  const n = h("span", { class: "count" });
  const tabs = TABS.map((name) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `drawer-tab-${name}`,
        "aria-controls": `drawer-${name}`,
        on: { click: () => openDrawer(name) },
      },
      t(`drawer.${name}`),
      name === "waiting" ? n : null,
    ),
  );
  const panels = TABS.map((name) =>
    h(
      "div",
      { role: "tabpanel", class: "drawer-panel", id: `drawer-${name}`, "aria-labelledby": `drawer-tab-${name}` },
      parts[name].el,
    ),
  );
  const el = h(
    "aside",
    { class: "drawer", "aria-label": t("drawer.label") },
    h(
      "header",
      { class: "drawer-head" },
      h("div", { class: "tabs", role: "tablist" }, tabs),
      h(
        "button",
        { type: "button", class: "button quiet icon-only", "aria-label": t("do.close"), on: { click: closeDrawer } },
        icon("end"),
      ),
    ),
    panels,
  );
  return {
    el,
    update() {
      show(el, model.drawer !== "");
      document.body.classList.toggle("has-drawer", model.drawer !== "");
      setText(n, waitingN() ? whole(waitingN()) : "");
      TABS.forEach((name, index) => {
        set(tabs[index], "aria-selected", String(model.drawer === name));
        show(panels[index], model.drawer === name);
        if (model.drawer === name) parts[name].update();
      });
    },
  };
}

function openDrawer(name, queue = model.queue) {
  const was = model.drawer;
  Object.assign(model, { drawer: name, queue });
  changed();
  if (was !== name) queueMicrotask(() => document.getElementById(`drawer-tab-${name}`).focus());
}

function closeDrawer() {
  const was = model.drawer;
  model.drawer = "";
  changed();
  if (was) document.getElementById(`open-${was}`).focus();
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
}

function openKeys() {
  openDialog(t("keys.title"), () =>
    h(
      "div",
      { class: "dialog-body key-groups" },
      h(
        "section",
        {},
        h("h3", {}, t("keys.board")),
        h(
          "dl",
          {},
          KEYS.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(what))]),
        ),
      ),
    ),
  );
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && model.drawer) return closeDrawer();
  if (isTyping(event.target)) return;
  const toggle = (name) => (model.drawer === name ? closeDrawer() : openDrawer(name, ""));
  const act = { w: () => toggle("waiting"), a: () => toggle("agents"), t: flipTheme, f: fullScreen, "?": openKeys }[
    event.key.toLowerCase()
  ];
  if (!act) return;
  event.preventDefault();
  act();
}
