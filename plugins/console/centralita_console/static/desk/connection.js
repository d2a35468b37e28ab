/* The desk's WebSocket: one link, taken up again for ever, and commands that survive its breaking.

   A command without a reply may or may not have been applied when the link breaks. Those that mean the
   same when given twice (messages carry an id, an offer is answered once) are sent again after the next
   hello, and a refusal that says "it is so already" then counts as done. The others are given up with
   `connection_lost`, because a second transfer or extension would be a second one. */

import { Refused } from "../shared/session.js";
import { t } from "../shared/words.js";

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
const REPLY_MS_MAX = 10_000;
const WAITING_MAX = 200;
/** Closed by the server for a reason that trying again does not mend; its words come with it. */
const TURNED_AWAY = [1008, 4403, 4404, 4429];
const SESSION_OVER = 4401;

const TWICE_IS_ONCE = new Set([
  "AnswerOffer",
  "EndContact",
  "FinishWrapUp",
  "HoldContact",
  "IdentifyContact",
  "LeaveContact",
  "NoteContact",
  "PlaceContact",
  "PostMessage",
  "ReportConnection",
  "ResumeContact",
  "SetStatus",
  "SignIn",
  "SignOut",
]);
const DONE_ALREADY = new Set(["already", "offer_over", "not_yours", "wrong_phase"]);
/** What must not get lost unseen: a refusal of these is always said, and the engine knows a repetition. */
const CARRIES_WORDS = new Set(["NoteContact", "PlaceContact", "PostMessage"]);

/** Opens the link. `hear(frame)` gets every frame that is not a reply, `link(state)` each change of
 *  `{up, retryAt, over, away}`: `retryAt` in this machine's ms and 0 when it isn't tried again, `over` when
 *  the session is, `away` the server's words when it turned us away. `isOver()` finds out whether the session
 *  is over when a link was never made: a browser doesn't tell why. */
export function connect(path, { hear, link, isOver }) {
  const waiting = new Map();
  let socket = null;
  let ready = false;
  let failures = 0;
  let next = 1;
  let timer = 0;
  let closed = false;

  function open() {
    clearTimeout(timer);
    ready = false;
    socket = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")));
    const mine = socket;
    mine.addEventListener("message", (event) => mine === socket && receive(JSON.parse(event.data)));
    mine.addEventListener("close", (event) => mine === socket && lost(event));
  }

  function receive(frame) {
    if (frame.type === "reply") return settle(frame);
    hear(frame);
    if (frame.type !== "hello") return;
    ready = true;
    failures = 0;
    link({ up: true, retryAt: 0, over: false, away: "" });
    for (const entry of [...waiting.values()]) resume(entry);
  }

  function resume(entry) {
    if (!entry.sent) return transmit(entry);
    if (!entry.twice)
      return settle({ id: entry.frame.id, ok: false, code: "connection_lost", message: t("error.connection_lost") });
    entry.again = true;
    transmit(entry);
  }

  function transmit(entry) {
    entry.sent = true;
    socket.send(JSON.stringify(entry.frame));
    clearTimeout(entry.timer);
    // A link that swallows commands is as good as broken; closing it begins the next one.
    const mine = socket;
    entry.timer = setTimeout(() => mine === socket && ready && abandon(), REPLY_MS_MAX);
  }

  function abandon() {
    const dead = socket;
    lost({ code: 0 });
    dead.close();
  }

  function settle(reply) {
    const entry = waiting.get(reply.id);
    if (!entry) return;
    waiting.delete(reply.id);
    clearTimeout(entry.timer);
    const before = entry.again && DONE_ALREADY.has(reply.code) && !CARRIES_WORDS.has(entry.frame.command);
    if (reply.ok || before) entry.resolve(reply);
    else entry.reject(new Refused(reply.code, reply.message));
  }

  async function lost({ code, reason }) {
    const met = ready;
    ready = false;
    socket = null;
    if (closed) return;
    const down = { up: false, retryAt: 0, over: false, away: "" };
    if (TURNED_AWAY.includes(code)) return link({ ...down, away: reason || t("link.turned_away") });
    const over = code === SESSION_OVER || (!met && navigator.onLine && (await isOver()));
    if (socket !== null) return; // it was tried again while we asked
    if (over) return link({ ...down, over: true });
    const delay = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures) * (0.75 + Math.random() / 2);
    failures = Math.min(failures + 1, 10);
    clearTimeout(timer);
    timer = setTimeout(open, delay);
    link({ ...down, retryAt: Date.now() + delay });
  }

  function ask(frame, twice) {
    if (waiting.size >= WAITING_MAX) return Promise.reject(new Refused("too_many", t("error.too_many")));
    return new Promise((resolve, reject) => {
      const entry = { frame: { id: next++, ...frame }, twice, sent: false, again: false, resolve, reject, timer: 0 };
      waiting.set(entry.frame.id, entry);
      if (ready) transmit(entry);
    });
  }

  window.addEventListener("online", () => !ready && socket === null && open());
  window.addEventListener("offline", () => ready && abandon());
  open();

  return {
    /** Gives a command; resolves with the reply, rejects with Refused. Waits while the link is down. */
    command: (command, fields = {}) => ask({ command, ...fields }, TWICE_IS_ONCE.has(command)),
    /** Asks something; asking twice is harmless. */
    ask: (what, fields = {}) => ask({ ask: what, ...fields }, true).then((reply) => reply.result),
    /** Has the contact's channel do something about the connection; resolves with what is so now. */
    control: (control, fields = {}) => ask({ control, ...fields }, false).then((reply) => reply.result),
    /** Something fleeting: sent now or never. */
    signal(signal, fields) {
      if (ready) socket.send(JSON.stringify({ id: next++, signal, ...fields }));
    },
    retryNow: () => socket === null && open(),
    /** How many commands have no reply yet. */
    unanswered: () => waiting.size,
    close() {
      closed = true;
      clearTimeout(timer);
      socket?.close();
    },
  };
}
