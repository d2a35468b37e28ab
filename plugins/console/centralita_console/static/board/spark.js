/* A sparkline: one row of numbers as a line over a faint area, drawn to the width it is given. */

import { set, svg } from "../shared/dom.js";

const WIDTH = 240;
const HEIGHT = 60;
const PAD = 4;

/** A sparkline, as a part: `update({values, least, label})`. Null values are gaps; the vertical scale
 *  goes from zero to the largest value, or to `least` where that is more, so that noise stays small. */
export function makeSpark(className = "") {
  const area = svg("path", { class: "spark-area" });
  const line = svg("path", { class: "spark-line" });
  // A stroke without length: its round cap is a dot that no scaling distorts.
  const end = svg("path", { class: "spark-end" });
  const el = svg(
    "svg",
    {
      class: `spark ${className}`.trim(),
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
    },
    area,
    line,
    end,
  );
  return {
    el,
    update({ values, least, label }) {
      const points = pointsOf(values, least);
      set(el, "aria-label", label);
      set(line, "d", strokes(points));
      set(
        area,
        "d",
        runs(points)
          .map((run) => `M${run[0][0]} ${HEIGHT}L${run.map(join).join("L")}L${run.at(-1)[0]} ${HEIGHT}Z`)
          .join(""),
      );
      const last = points.findLast((point) => point !== null);
      set(end, "d", last ? `M${last.join(" ")}h0` : "");
    },
  };
}

const join = (point) => point.join(" ");
const strokes = (points) =>
  runs(points)
    .map((run) => `M${run.map(join).join("L")}`)
    .join("");

function pointsOf(values, least) {
  const top = Math.max(least, ...values.filter((value) => value !== null));
  const step = values.length > 1 ? (WIDTH - 2 * PAD) / (values.length - 1) : 0;
  return values.map((value, index) =>
    value === null ? null : [round(PAD + index * step), round(HEIGHT - PAD - (value / top) * (HEIGHT - 2 * PAD))],
  );
}

const round = (n) => Math.round(n * 10) / 10;

function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point === null) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length > 0);
}
