// The line to the channel: one WebSocket at a time, resumed until it holds.
//
// It keeps what must not be lost on the page's side: who we are and which messages are not yet known to be
// durable. Those are sent again after each reconnection with the same message_id; the channel takes each in
// once. What comes from the channel is numbered, and we resume from the last number we have. It draws nothing.

const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 15_000;
const PING_MS = 25_000;
const SILENCE_MS_MAX = 60_000;
const ANSWER_MS_MAX = 10_000;
const ACK_MS = 400;
const SLOW_DOWN_MS = 4_000;
const OUTBOX_MAX = 50;

class Connection {
  constructor(base, memory, hears) {
    this.base = base;
    this.memory = memory;
    this.hears = hears; // an object with a function for each type of frame, and `link` and `forgotten`
    this.session = ""; // whose messages are shown, up to `last`
    this.last = 0;
    this.chat = 0;
    this.endedChat = 0;
    this.up = false;
    this.wanted = false;
    this.retryMs = RETRY_MS_FIRST;
    this.socket = null;
    this.timers = {};
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    addEventListener("storage", () => { if (this.up && this.memory.recall().session !== this.session) this.join(); });
  }

  get outbox() { return this.memory.value.outbox; }

  begin() {
    if (this.wanted) return;
    this.wanted = true;
    this.connect();
  }

  connect() {
    clearTimeout(this.timers.retry);
    const address = new URL("ws", this.base);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(address));
    socket.onopen = () => {
      const { session, secret } = this.memory.recall();
      const last = session === this.session ? this.last : 0;
      this.put({ type: "hello", session, secret, last, language: this.hears.language, page: location.origin + location.pathname });
    };
    socket.onmessage = (event) => { if (socket === this.socket) this.take(JSON.parse(event.data)); };
    socket.onclose = () => { if (socket === this.socket) this.lost(); };
  }

  lost() {
    this.socket = null;
    this.up = false;
    for (const name of ["ping", "ack", "slow"]) {
      clearTimeout(this.timers[name]);
      this.timers[name] = null; // one that is set is not set again
    }
    this.hears.link(false);
    const wait = this.retryMs * (0.5 + Math.random()); // many pages must not come back in one moment
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
    this.timers.retry = setTimeout(() => this.connect(), wait);
  }

  hurry() {
    if (!this.wanted || this.socket) return;
    this.retryMs = RETRY_MS_FIRST;
    this.connect();
  }

  put(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  say(frame) { if (this.up) this.put(frame); }

  // Keeps the message until the channel has it. False when too many are waiting.
  send(message) {
    if (this.outbox.length >= OUTBOX_MAX) return false;
    const frame = { type: "message", ...message };
    this.memory.change((kept) => kept.outbox.push(frame));
    this.say(frame);
    return true;
  }

  drop(messageId) {
    const message = this.outbox.find((one) => one.message_id === messageId);
    if (message) this.memory.change((kept) => { kept.outbox = kept.outbox.filter((one) => one.message_id !== messageId); });
    return message;
  }

  sendAgain() { for (const message of this.outbox) this.say(message); }

  take(frame) {
    this.heardMs = Date.now();
    switch (frame.type) {
      case "session": this.begun(frame); break;
      case "message":
        if (frame.sequence <= this.last) return;
        this.last = frame.sequence;
        this.timers.ack ??= setTimeout(() => { this.timers.ack = null; this.say({ type: "ack", sequence: this.last }); }, ACK_MS);
        break;
      case "received": this.enter(frame.chat); this.drop(frame.message_id); break;
      case "state": this.enter(frame.chat); break;
      case "ended": this.chat = 0; this.endedChat = frame.chat; break;
      case "error":
        if (frame.message_id && ["too_fast", "unavailable", "too_many"].includes(frame.code)) {
          this.timers.slow ??= setTimeout(() => { this.timers.slow = null; this.sendAgain(); }, SLOW_DOWN_MS);
          return;
        }
        console.warn("chat:", frame.code, frame.message);
        break;
    }
    this.hears[frame.type]?.(frame);
  }

  // Conversations count up; the word that our message arrived may come after its conversation's end.
  enter(chat) { this.chat = chat > this.endedChat ? chat : 0; }

  begun(frame) {
    const { session, secret } = this.memory.value;
    if (frame.secret && this.memory.recall().session !== session) return this.join();
    const moved = frame.session !== this.session;
    const forgotten = (moved || !frame.resumed) && this.last > 0;
    if (moved || !frame.resumed) this.last = this.chat = this.endedChat = 0;
    if (frame.secret || (moved && this.session)) {
      this.memory.change((kept) => {
        Object.assign(kept, { session: frame.session, secret: frame.secret ?? secret, seen: 0 });
        for (const message of kept.outbox) message.chat = 0; // their conversation is not ours any more
      });
    }
    this.session = frame.session;
    if (forgotten) this.hears.forgotten();
    this.up = true;
    this.retryMs = RETRY_MS_FIRST;
    this.hears.link(true);
    this.sendAgain();
    const ping = () => {
      const askedMs = Date.now();
      // A window that nobody sees has its timers late: that we heard nothing may be for want of asking.
      const silent = askedMs - this.heardMs > SILENCE_MS_MAX;
      this.say({ type: "ping" });
      this.timers.ping = setTimeout(() => (silent && this.heardMs < askedMs ? this.abandon() : ping()), silent ? ANSWER_MS_MAX : PING_MS);
    };
    clearTimeout(this.timers.ping);
    this.timers.ping = setTimeout(ping, PING_MS);
  }

  // Two windows that had no session asked for one at the same time: what is kept is everybody's.
  join() {
    const socket = this.socket;
    this.connect();
    socket.close();
  }

  // A socket that answers nothing may take minutes to notice that it is dead.
  abandon() {
    const socket = this.socket;
    this.lost();
    socket?.close();
  }

  // Resolves to {id, name, media_type, bytes_n, url}; rejects with the channel's {code, message}.
  async upload(file) {
    const { session, secret } = this.memory.value;
    const form = new FormData();
    form.append("session", session);
    form.append("secret", secret);
    form.append("file", file, file.name || "image.png");
    const response = await fetch(new URL("attachments", this.base), { method: "POST", body: form, credentials: "omit" });
    const answer = await response.json();
    if (!response.ok) throw answer;
    return answer;
  }
}

// What outlives the page: the session and its unsent messages. Without storage it lives as long as the page.
// The customer's windows share it, so each changes what is there and not what it once found.
class Memory {
  constructor(key) {
    this.key = key;
    this.value = this.read();
    this.known = Boolean(this.value.session);
  }

  read() {
    let kept = {};
    try { kept = JSON.parse(localStorage.getItem(this.key)) ?? {}; } catch { /* no storage, or not ours */ }
    return {
      session: String(kept.session ?? ""),
      secret: String(kept.secret ?? ""),
      skipped: kept.skipped, // the conversation that was not to be rated
      seen: Number(kept.seen) || 0, // the last message that was before the customer's eyes
      outbox: Array.isArray(kept.outbox) ? kept.outbox : [],
    };
  }

  // Who we are, as the window that knew it last has kept it.
  recall() {
    const { session, secret } = this.read();
    if (session) Object.assign(this.value, { session, secret });
    return this.value;
  }

  change(edit) {
    const kept = this.read();
    edit(kept);
    edit(this.value);
    try { localStorage.setItem(this.key, JSON.stringify(kept)); } catch { /* private window */ }
  }
}

function makeId() {
  // randomUUID exists only on secure pages; an intranet's may be plain http.
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
