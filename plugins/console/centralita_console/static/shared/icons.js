/* The icons: strokes on a grid of 24, drawn here, coloured by the text around them. */

import { svg } from "./dom.js";

const PATHS = {
  chat: ["M4 5h16v11H10l-5 4v-4H4z"],
  voice: ["M6 3h3l2 5-2.5 1.8a12 12 0 0 0 5.7 5.7L16 13l5 2v3a3 3 0 0 1-3 3A15 15 0 0 1 3 6a3 3 0 0 1 3-3z"],
  callback: [
    "M6 5h3l2 4-2 1.6a11 11 0 0 0 4.6 4.6L15 13l4 2v2a3 3 0 0 1-3 3A13 13 0 0 1 3 8a3 3 0 0 1 3-3z",
    "M21 4l-6 6",
    "M15 5v5h5",
  ],
  email: ["M3 6h18v12H3z", "M3 7l9 7 9-7"],
  sms: ["M7 2.5h10v19H7z", "M11 18.5h2"],
  social: ["M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z", "M3 12h18", "M12 3c3 3 3 15 0 18", "M12 3c-3 3-3 15 0 18"],
  video: ["M3 7h12v10H3z", "M15 11l6-3v8l-6-3"],
  people: [
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
    "M2.5 20c.5-4 3-6 6.5-6s6 2 6.5 6",
    "M16 4.5a3.5 3.5 0 0 1 0 6.5",
    "M18 14.5c2 .8 3.2 2.6 3.5 5.5",
  ],
  person: ["M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M4 21c.6-4.5 3.6-7 8-7s7.4 2.5 8 7"],
  hold: ["M8 5v14", "M16 5v14"],
  resume: ["M7 4l12 8-12 8z"],
  transfer: ["M4 8h15", "M15 4l4 4-4 4", "M20 16H5", "M9 12l-4 4 4 4"],
  consult: ["M4 4h11v8H9l-3 3v-3H4z", "M18 9h2v8h-2v3l-3-3h-5"],
  end: ["M6 6l12 12", "M18 6L6 18"],
  leave: ["M10 4H4v16h6", "M14 8l4 4-4 4", "M18 12H9"],
  check: ["M4 12.5l5 5L20 6.5"],
  clock: ["M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z", "M12 7v5l3.5 2"],
  alert: ["M12 3.5L22 20H2z", "M12 10v5", "M12 17.3v.4"],
  plus: ["M12 5v14", "M5 12h14"],
  search: ["M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14z", "M16 16l5 5"],
  question: [
    "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z",
    "M9.3 9.5a2.8 2.8 0 1 1 4 2.6c-.9.5-1.3 1-1.3 2",
    "M12 16.8v.4",
  ],
  settings: [
    "M4 7h9",
    "M19 7h1",
    "M16 9.5a2.5 2.5 0 1 1 0-5 2.5 2.5 0 0 1 0 5z",
    "M4 17h1",
    "M11 17h9",
    "M8 19.5a2.5 2.5 0 1 1 0-5 2.5 2.5 0 0 1 0 5z",
  ],
  keyboard: ["M2.5 6h19v12h-19z", "M6 10h.4", "M10 10h.4", "M14 10h.4", "M18 10h.4", "M7 14h10"],
  attach: ["M19 11l-7.5 7.5a4.5 4.5 0 0 1-6.4-6.4L13 4.3a3 3 0 0 1 4.3 4.3l-7.6 7.6a1.5 1.5 0 0 1-2.2-2.1L14 7.7"],
  lock: ["M6 11h12v9H6z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  send: ["M3.5 4.5L21 12 3.5 19.5 6 12z", "M6 12h7"],
  down: ["M6 9l6 6 6-6"],
  copy: ["M8 8h12v12H8z", "M16 8V4H4v12h4"],
  sound: ["M4 9.5h3.5L12 6v12l-4.5-3.5H4z", "M15.5 9a4 4 0 0 1 0 6", "M18 6.5a7.5 7.5 0 0 1 0 11"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z"],
  sun: [
    "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9z",
    "M12 2v2.5",
    "M12 19.5V22",
    "M2 12h2.5",
    "M19.5 12H22",
    "M5 5l1.7 1.7",
    "M17.3 17.3L19 19",
    "M19 5l-1.7 1.7",
    "M6.7 17.3L5 19",
  ],
  link: ["M3 12h5", "M16 12h5", "M8 8v8l4-4z", "M16 8v8l-4-4z"],
  external: ["M14 4h6v6", "M20 4l-9 9", "M18 14v6H4V6h6"],
  file: ["M6 3h8l5 5v13H6z", "M14 3v5h5"],
  star: ["M12 3.5l2.6 5.6 6 .7-4.5 4.1 1.2 6-5.3-3-5.3 3 1.2-6-4.5-4.1 6-.7z"],
  full: ["M4 9V4h5", "M15 4h5v5", "M20 15v5h-5", "M9 20H4v-5"],
};

/** An icon by name, hidden from screen readers: the control around it carries the words. */
export function icon(name, className = "") {
  const paths = PATHS[name] ?? PATHS.chat;
  return svg(
    "svg",
    { class: `icon ${className}`.trim(), viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    paths.map((d) => svg("path", { d })),
  );
}

/** The house mark: two jacks of a switchboard and the cord between them. */
export function mark() {
  return svg(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true", focusable: "false" },
    svg("path", { class: "mark-cord", d: "M9 10v4c0 9 14 3 14 10" }),
    svg("circle", { class: "mark-jack", cx: 9, cy: 8, r: 4.2 }),
    svg("circle", { class: "mark-jack", cx: 23, cy: 24, r: 4.2 }),
    svg("circle", { class: "mark-hole", cx: 23, cy: 8, r: 2.4 }),
    svg("circle", { class: "mark-hole", cx: 9, cy: 24, r: 2.4 }),
  );
}

/** The icon of a medium. */
export function mediumIcon(medium) {
  return icon(medium in PATHS ? medium : "chat");
}
