/* The last picture of the house, and what the supervisor looks at in it. */

export const model = {
  me: null,
  board: null,
  trends: null,
  live: false,
  stale_ms: 0,
  drawer: "",
  queue: "",
  contact: 0,
};

const readers = new Set();
let drawing = false;

/** Calls `reader` after every change, at most once a turn of the event loop. */
export const onChange = (reader) => readers.add(reader);

/** Says that something changed. */
export function changed() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => {
    drawing = false;
    for (const reader of readers) reader(model);
  });
}

/** Takes a picture in. Trends change once a minute and may be left out of a picture: the last stay. */
export function take(board) {
  model.board = board;
  model.trends = board.figures.trends ?? model.trends;
  model.live = true;
  model.stale_ms = 0;
  changed();
}

/** Those who wait, in the order in which they will be served. */
export const waiting = () =>
  model.board.contacts.filter((contact) => contact.phase === "waiting" || contact.phase === "offered");

/** How many wait or are offered, of one queue or of all with "": a picture holds only the first of them. */
export const waitingN = (queue = "") =>
  model.board.queues
    .filter((one) => !queue || one.name === queue)
    .reduce((sum, one) => sum + one.waiting, 0) +
  waiting().filter((contact) => contact.phase === "offered" && (!queue || contact.queue === queue)).length;

/** What is counted: today, or since the journal began while nothing has been counted today. */
export const counted = () => model.board.figures.today ?? model.board.figures;

/** A column of the last `n` minutes of a queue, or of all with ""; null before the figures begin. */
export function minutes(column, queue = "", n = 60) {
  const trend = model.trends?.minutes;
  const columns = queue ? trend?.queues[queue] : trend?.total;
  const known = columns?.[column]?.slice(-n) ?? [];
  return [...Array(n - known.length).fill(null), ...known];
}

export const queueTitle = (name) => model.board.queues.find((queue) => queue.name === name)?.title || name;
export const agentTitle = (name) => model.board.agents.find((agent) => agent.name === name)?.title || name;
