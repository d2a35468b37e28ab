// What has been said, in its order: as the channel numbers it; what is on its way comes last.

class Log {
  constructor(say, language, base, act) {
    this.say = say;
    this.base = base;
    this.act = act; // { retry(messageId), anew(messageId) }
    this.time = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
    this.dayAndTime = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
    this.box = el("div", { className: "log", role: "log", tabIndex: 0, "aria-live": "polite" });
    this.stuck = true; // to the end, unless the customer has scrolled back
    this.top = 0;
    this.box.addEventListener("scroll", () => {
      // News of our own scrolling may come when a form below has taken room already: only going back counts.
      this.stuck = this.atEnd || (this.stuck && this.box.scrollTop >= this.top);
      this.top = this.box.scrollTop;
    });
    new ResizeObserver(() => this.follow()).observe(this.box);
    this.mine = new Map(); // message_id → element, of the customer's own
    this.lastOf = new Map(); // conversation → its last message's sequence
    this.typing = null;
    this.count = 0;
  }

  clear() {
    this.box.replaceChildren();
    this.mine.clear();
    this.lastOf.clear();
    this.typing = null;
    this.count = 0;
  }

  get atEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 80; }

  follow() { if (this.stuck) this.toEnd(); }

  toEnd() { this.box.scrollTop = this.box.scrollHeight; }

  // A message that the channel has numbered. True when it is somebody else's and new.
  add(frame) {
    const mine = frame.author === "customer";
    if (mine) this.stuck = true;
    if (frame.message_id) this.mine.get(frame.message_id)?.remove();
    const element = this.draw({ ...frame, mine });
    element.order = frame.sequence;
    this.lastOf.set(frame.chat, frame.sequence);
    if (frame.message_id) this.mine.set(frame.message_id, element);
    this.place(element);
    this.follow();
    this.count += 1;
    return !mine && frame.author !== "system";
  }

  // The customer's words before the channel has them.
  addWaiting(message, files) {
    const element = this.draw({ ...message, attachments: files, mine: true, author: "customer", at_ms: Date.now() });
    element.classList.add("waits");
    element.order = Infinity;
    element.lastChild.textContent = this.say.sending;
    this.mine.set(message.message_id, element);
    this.place(element);
    this.toEnd();
    this.count += 1;
  }

  fail(messageId, why, over) {
    const element = this.mine.get(messageId);
    if (!element) return;
    element.classList.remove("waits");
    element.classList.add("failed");
    const again = over ? button("", this.say.anew, () => this.act.anew(messageId)) : button("", this.say.again, () => this.act.retry(messageId));
    element.lastChild.replaceChildren(el("span", {}, why || this.say.failed), again);
  }

  waitAgain(messageId) {
    const element = this.mine.get(messageId);
    element?.classList.replace("failed", "waits");
    element?.lastChild.replaceChildren(this.say.sending);
  }

  // Something about a conversation, after its last message so far.
  notice(text, chat) {
    const element = el("p", { className: "notice", role: "status" }, text);
    element.order = (this.lastOf.get(chat) ?? 0) + 0.5;
    this.place(element);
    this.toEnd();
  }

  setTyping(on, name) {
    clearTimeout(this.typingTimer);
    if (on && this.typing?.by === name) return this.fadeTyping(); // said already: it goes on
    this.typing?.remove();
    this.typing = null;
    if (!on) return;
    const dots = el("span", { className: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
    const label = el("span", { className: "seen-only-by-readers" }, `${name || this.say.agent} ${this.say.typing}`);
    this.typing = el("div", { className: "message" }, el("div", { className: "bubble" }, dots, label));
    this.typing.order = Infinity;
    this.typing.by = name;
    this.box.append(this.typing);
    this.follow();
    this.fadeTyping();
  }

  // A lost "off" must not type for ever.
  fadeTyping() { this.typingTimer = setTimeout(() => this.setTyping(false), 8000); }

  place(element) {
    let after = this.box.lastElementChild;
    while (after && (after === this.typing || after.order > element.order)) after = after.previousElementSibling;
    if (after) after.after(element); else this.box.prepend(element);
    this.group(element);
    if (element.nextElementSibling) this.group(element.nextElementSibling);
  }

  // The author's name stands over the first of several messages in a row.
  group(element) {
    const who = element.querySelector(":scope > .who");
    if (who) who.hidden = element.previousElementSibling?.author === element.author;
  }

  draw(message) {
    if (message.author === "system") return el("p", { className: "notice" }, message.text);
    const name = message.mine ? "" : message.author_title || (message.author === "bot" ? this.say.bot : this.say.agent);
    const element = el("div", { className: message.mine ? "message mine" : "message" });
    element.author = message.author + name;
    element.append(message.mine ? el("span", { className: "seen-only-by-readers" }, `${this.say.you}:`) : el("div", { className: "who" }, name));
    if (message.text) element.append(el("div", { className: "bubble", dir: "auto" }, words(message.text)));
    for (const file of message.attachments ?? []) element.append(this.drawFile(file));
    const at = new Date(message.at_ms);
    const format = at.toDateString() === new Date().toDateString() ? this.time : this.dayAndTime;
    element.append(el("div", { className: "meta" }, el("time", { dateTime: at.toISOString() }, format.format(at))));
    return element;
  }

  drawFile(file) {
    const href = new URL(file.url, this.base).href;
    if (/^image\/(png|jpeg|gif|webp)$/.test(file.media_type)) {
      const image = el("img", { src: href, alt: file.name, loading: "lazy", referrerPolicy: "no-referrer", onload: () => this.follow() });
      return el("a", { className: "picture", href, target: "_blank", rel: "noopener noreferrer", title: file.name }, image);
    }
    return el("a", { className: "file", href, target: "_blank", rel: "noopener noreferrer" }, icon("file"), el("span", {}, file.name), el("small", {}, size(file.bytes_n)));
  }
}
