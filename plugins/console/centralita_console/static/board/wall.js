/* The wall: the house in five figures, and a line for every queue, readable from across the room. */

import { h, reconcile, replace, set, setData, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { ms } from "../shared/time.js";
import { duration, hundredths, t, tenths, whole } from "../shared/words.js";
import { goals, judgeLevel, judgeWait, pressure } from "./judge.js";
import { counted, minutes, model } from "./model.js";
import { makeSpark } from "./spark.js";

const NOTHING = "–";
/** More queues than these get one line each. */
const TWO_LINES_MAX = 8;
/** A number with more signs than these is set smaller: the largest type leaves no room for it. */
const LONG_TEXT = 3;
const SIGNS = { bad: "▲", warn: "◆", good: "", "": "" };

/** The wall, as a part. `open(queue)` is called when a queue is chosen. */
export function makeWall(open) {
  const tiles = makeTiles();
  const table = makeTable(open);
  return {
    el: h("div", { class: "wall" }, tiles.el, table.el),
    update() {
      tiles.update();
      table.update();
    },
  };
}

/* A figure with its name, a judgement and, where there is one, its last hour. */
function makeTile(name, { spark = false } = {}) {
  const value = h("span", { class: "tile-value" });
  const unit = h("span", { class: "tile-unit" });
  const sign = h("span", { class: "sign" });
  const words = h("span", { class: "tile-words" });
  const line = spark ? makeSpark() : null;
  const el = h(
    "section",
    { class: "tile", "aria-label": t(`tile.${name}`) },
    h("h2", {}, t(`tile.${name}`)),
    h("p", { class: "tile-line" }, value, unit, sign),
    words,
    line?.el,
  );
  return {
    el,
    value,
    update({ text, of = "", judged = "", saying = "", since = null, trend = null }) {
      setData(value, "since", since);
      if (since === null) setText(value, text);
      setData(value, "long", text.length > LONG_TEXT ? "yes" : null);
      setText(unit, of);
      setText(words, saying);
      judge(el, sign, judged);
      line?.update(trend);
    },
  };
}

function judge(el, sign, judged) {
  setData(el, "judged", judged || null);
  setText(sign, SIGNS[judged]);
  set(sign, "aria-label", judged ? t(`judged.${judged}`) : null);
}

function makeTiles() {
  const tiles = {
    waiting: makeTile("waiting", { spark: true }),
    urgent: makeTile("urgent"),
    level: makeTile("level", { spark: true }),
    abandoned: makeTile("abandoned", { spark: true }),
    answered: makeTile("answered", { spark: true }),
  };
  const trend = (column, least) => ({ values: minutes(column), least, label: t("spark.last_hour") });
  return {
    el: h(
      "div",
      { class: "tiles" },
      Object.values(tiles).map((tile) => tile.el),
    ),
    update() {
      const { queues } = model.board;
      const { total } = counted();
      // Against its own target: an e-mail that has waited an hour is not worse than a call that has waited two minutes.
      const urgent = queues
        .filter((queue) => queue.waiting && queue.longest_wait_since_ns > 0)
        .sort((a, b) => pressure(b) - pressure(a))[0];
      const n = queues.reduce((sum, queue) => sum + queue.waiting, 0);
      const level = total.service_level;
      tiles.waiting.update({
        text: whole(n),
        saying: t("tile.in_queues", { n: queues.filter((queue) => queue.waiting).length }),
        trend: trend("waiting", 4),
      });
      tiles.urgent.update({
        text: NOTHING,
        since: urgent ? ms(urgent.longest_wait_since_ns) : null,
        judged: urgent ? judgeWait(urgent) : "",
        saying: urgent
          ? `${urgent.title || urgent.name} · ${t("queues.target", { time: span(urgent.answer_target_s) })}`
          : t("tile.nobody"),
      });
      tiles.level.update({
        text: level === null ? NOTHING : hundredths(level),
        of: level === null ? "" : "%",
        judged: judgeLevel(level),
        saying: t("tile.goal", { goal: hundredths(goals.service_level_goal) }),
        trend: trend("service_level", 1),
      });
      tiles.abandoned.update({
        text: whole(total.abandoned),
        saying: total.abandon_rate === null ? "" : t("tile.of_offered", { share: hundredths(total.abandon_rate) }),
        trend: trend("abandoned", 3),
      });
      tiles.answered.update({
        text: whole(total.answered),
        saying: [
          t("tile.offered", { n: whole(total.offered) }),
          total.csat_count ? t("tile.rated", { score: tenths(total.csat_mean) }) : "",
        ]
          .filter(Boolean)
          .join(" · "),
        trend: trend("answered", 4),
      });
    },
  };
}

const COLUMNS = ["waiting", "longest", "level", "abandoned", "asa", "aht", "agents", "trend"];
const LONG = {
  level: "queues.level_long",
  abandoned: "queues.abandoned_long",
  asa: "queues.asa_long",
  aht: "queues.aht_long",
};

function makeTable(open) {
  const body = h("tbody");
  const table = h(
    "table",
    { class: "queues" },
    h("caption", { class: "unseen" }, t("queues.caption")),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col", class: "c-queue" }, t("queues.queue")),
        COLUMNS.map((name) =>
          h(
            "th",
            { scope: "col", class: `c-${name}`, title: name in LONG ? t(LONG[name]) : null },
            t(`queues.${name}`),
          ),
        ),
      ),
    ),
    body,
  );
  const none = h("p", { class: "wall-none" }, t("queues.none"));
  return {
    el: h("div", { class: "queues-place" }, table, none),
    update() {
      const { queues } = model.board;
      show(none, queues.length === 0);
      setData(table, "dense", queues.length > TWO_LINES_MAX ? "yes" : null);
      table.style.setProperty("--rows", String(Math.max(1, queues.length)));
      reconcile(
        body,
        queues,
        (queue) => queue.name,
        (queue) => makeRow(queue.name, open),
      );
    },
  };
}

function makeRow(name, open) {
  const title = h("button", { type: "button", class: "queue-name", on: { click: () => open(name) } });
  const state = h("span", { class: "queue-state" });
  const cells = Object.fromEntries(COLUMNS.map((column) => [column, h("td", { class: `c-${column}` })]));
  const value = (className = "") => h("span", { class: `figure ${className}`.trim() });
  const figures = {
    waiting: value("strong"),
    longest: value("strong"),
    level: value(),
    abandoned: value(),
    asa: value("calm"),
    aht: value("calm"),
    free: value(),
  };
  const signs = { longest: h("span", { class: "sign" }), level: h("span", { class: "sign" }) };
  const bar = h("span", { class: "level-bar", "aria-hidden": "true" }, h("i"), h("b"));
  const rate = h("small", { class: "beside" });
  const present = h("small", { class: "beside" });
  const spark = makeSpark();
  cells.waiting.append(figures.waiting);
  cells.longest.append(figures.longest, signs.longest);
  cells.level.append(h("span", { class: "level-line" }, figures.level, signs.level), bar);
  cells.abandoned.append(figures.abandoned, rate);
  cells.asa.append(figures.asa);
  cells.aht.append(figures.aht);
  cells.agents.append(figures.free, present);
  cells.trend.append(spark.el);
  const el = h(
    "tr",
    { on: { click: (event) => event.target.closest("button") || open(name) } },
    h("th", { scope: "row", class: "c-queue" }, title, state),
    Object.values(cells),
  );
  return {
    el,
    update(queue) {
      const today = counted().queues[queue.name] ?? {};
      const wait = judgeWait(queue);
      const level = today.service_level ?? null;
      setText(title, queue.title || queue.name);
      paintState(state, el, queue);
      say(figures.waiting, whole(queue.waiting));
      setData(figures.waiting, "long", whole(queue.waiting).length > LONG_TEXT ? "yes" : null);
      setData(el, "quiet", queue.waiting === 0 ? "yes" : null);
      const waits = queue.waiting > 0 && queue.longest_wait_since_ns > 0;
      setData(figures.longest, "since", waits ? ms(queue.longest_wait_since_ns) : null);
      if (waits) setData(figures.longest, "unknown", null);
      else say(figures.longest, NOTHING);
      judge(cells.longest, signs.longest, wait);
      say(figures.level, level === null ? NOTHING : `${hundredths(level)} %`);
      judge(cells.level, signs.level, judgeLevel(level));
      bar.firstChild.style.setProperty("--share", String(level ?? 0));
      bar.lastChild.style.setProperty("--goal", String(goals.service_level_goal));
      show(bar, level !== null);
      say(figures.abandoned, today.abandoned === undefined ? NOTHING : whole(today.abandoned));
      setText(rate, today.abandon_rate ? `${hundredths(today.abandon_rate)} %` : "");
      say(figures.asa, seconds(today.asa_s));
      say(figures.aht, seconds(today.aht_s));
      say(figures.free, whole(queue.agents_available));
      setText(present, t("queues.of_present", { n: queue.agents_present }));
      setData(
        cells.agents,
        "judged",
        queue.open && queue.agents_present === 0 ? (queue.waiting ? "bad" : "warn") : null,
      );
      spark.update({
        values: minutes("waiting", queue.name),
        least: 4,
        label: t("spark.waiting_hour", { queue: queue.title || queue.name }),
      });
    },
  };
}

function paintState(state, row, queue) {
  setData(row, "open", queue.open ? "yes" : "no");
  if (!queue.open) replace(state, icon("lock"), t("queues.closed"));
  else setText(state, t("queues.target", { time: span(queue.answer_target_s) }));
}

/** Sets a figure; what is not known yet stands back. */
function say(node, text) {
  setText(node, text);
  setData(node, "unknown", text === NOTHING ? "yes" : null);
}

const seconds = (value) => (value === null || value === undefined ? NOTHING : duration(value * 1000));
const span = (value) =>
  value < 120 ? `${whole(value)} s` : value < 7200 ? `${whole(value / 60)} min` : `${whole(value / 3600)} h`;
