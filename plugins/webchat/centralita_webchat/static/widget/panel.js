// The whole widget on the page: launcher, panel, status, and what each of the channel's frames shows.

const UNKNOWN = { phase: "none", chat: 0 }; // where the conversation stands, before the channel has said so

class Panel {
  constructor(settings, base, script) {
    this.settings = settings;
    this.base = base;
    this.language = pickLanguage(script, settings);
    this.say = WORDS[this.language];
    this.unread = 0;
    this.state = UNKNOWN;
    this.link = false;
    this.failed = new Map(); // message_id → message
    this.noticed = new Set(); // conversations whose end is shown
    this.thanked = new Set(); // conversations whose rating is thanked for
    this.memory = new Memory(`centralita ${base.href}`);
    this.connection = new Connection(base, this.memory, this.ears());
    this.build(script);
    for (const message of this.memory.value.outbox) this.log.addWaiting(message, []);
    if (this.memory.known) this.connection.begin();
    if (script.dataset.open !== undefined) this.open(false);
    this.showStatus();
  }

  build(script) {
    const say = this.say;
    this.host = el("div", { id: `centralita-${this.settings.name}`, lang: this.language });
    const shadow = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a page's Content-Security-Policy may forbid <style>, not this
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    this.root = el("div", { className: "root" });
    // To the page its keys would seem to be typed outside any field, and so to be its own.
    for (const kind of ["keydown", "keypress", "keyup"]) this.root.addEventListener(kind, (event) => event.stopPropagation());
    this.followTheme(script.dataset.theme ?? "auto");
    this.panel = el("section", { className: "panel", role: "dialog", "aria-label": this.settings.title, hidden: true, onkeydown: (event) => this.key(event) });
    this.log = new Log(say, this.language, this.base, { retry: (id) => this.retry(id), anew: (id) => this.retry(id) });
    this.composer = new Composer(say, this.settings, this.panel, {
      send: (text, files, who) => this.send(text, files, who),
      upload: async (file) => { await this.linked(); return this.connection.upload(file); },
      typing: (on) => { if (this.state.chat) this.connection.say({ type: "typing", on }); },
    });
    this.cards = new Cards(say, {
      callback: (handle) => this.connection.say({ type: "callback", handle }),
      end: () => this.connection.say({ type: "end" }),
      rate: (score, comment, chat) => this.connection.say({ type: "rate", score, comment, chat }),
      skip: (chat) => this.memory.change((kept) => { kept.skipped = chat; }),
      back: () => this.composer.text.focus(),
    });
    this.endButton = button("", say.end, () => this.cards.end());
    this.callbackButton = button("", say.callback_offer, () => this.cards.callback());
    const close = button("", say.close, () => this.close(), icon("down"));
    const header = el("header", {}, el("h2", {}, this.settings.title), this.endButton, close);
    this.statusText = el("p", { role: "status" });
    this.status = el("div", { className: "status" }, el("span", { className: "dot" }), this.statusText, this.callbackButton);
    this.panel.prepend(header, this.status, this.log.box, this.cards.box, this.composer.box);
    this.badge = el("span", { className: "badge", hidden: true, "aria-hidden": "true" });
    this.launcher = button("launcher", say.open, () => (this.panel.hidden ? this.open() : this.close()), icon("chat"), this.badge);
    this.launcher.setAttribute("aria-expanded", "false");
    this.root.append(this.panel, this.launcher);
    shadow.append(this.root);
    document.body.append(this.host);
    this.greet();
  }

  followTheme(theme) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => this.root.classList.toggle("dark", theme === "dark" || (theme === "auto" && dark.matches));
    dark.addEventListener("change", apply);
    apply();
  }

  greet() {
    const greeting = el("div", { className: "message" }, el("div", { className: "bubble" }, words(this.settings.greeting[this.language] ?? this.say.greeting)));
    greeting.order = 0;
    this.log.box.prepend(greeting);
  }

  open(focus = true) {
    this.connection.begin();
    this.panel.hidden = false;
    this.launcher.setAttribute("aria-expanded", "true");
    this.count(0);
    this.see();
    this.log.toEnd();
    if (focus) this.composer.text.focus();
  }

  close() {
    this.panel.hidden = true;
    this.launcher.setAttribute("aria-expanded", "false");
    this.launcher.focus();
  }

  key(event) {
    if (event.key !== "Escape") return;
    if (this.cards.kind) this.cards.close(); else this.close();
  }

  count(n) {
    this.unread = n;
    this.badge.textContent = n > 99 ? "99+" : String(n);
    this.badge.hidden = n === 0;
    this.launcher.setAttribute("aria-label", n ? `${this.say.open} (${this.say.unread(n)})` : this.say.open);
  }

  // All that is shown has been read: on the site's next page it is not new.
  see() { this.memory.change((kept) => { kept.seen = this.connection.last; }); }

  // From the customer

  send(text, files, who) {
    const message = { message_id: makeId(), text, attachments: files.map((file) => file.id), chat: this.connection.chat };
    if (!message.chat) Object.assign(message, who.name && { name: who.name }, who.email && { email: who.email });
    if (!this.connection.send(message)) return false;
    this.log.addWaiting(message, files);
    this.composer.who.hidden = true;
    return true;
  }

  retry(messageId) {
    const message = this.failed.get(messageId);
    if (!message || !this.connection.send({ ...message, chat: this.connection.chat })) return;
    this.failed.delete(messageId);
    this.log.waitAgain(messageId);
  }

  // From the channel

  ears() {
    return {
      language: this.language,
      link: (up) => this.linkChanged(up),
      forgotten: () => this.forget(),
      session: (frame) => this.begun(frame),
      message: (frame) => this.take(frame),
      received: (frame) => this.failed.delete(frame.message_id),
      state: (frame) => this.stand(frame),
      typing: (frame) => this.log.setTyping(frame.on, this.state.agent_title),
      ended: (frame) => this.ended(frame),
      rated: (frame) => this.thank(frame.chat),
      error: (frame) => this.refused(frame),
    };
  }

  forget() {
    this.log.clear();
    this.cards.close();
    this.greet();
    this.noticed.clear();
    this.thanked.clear();
    this.state = UNKNOWN;
  }

  linked() {
    return this.link ? Promise.resolve() : new Promise((go) => { (this.waitingForLink ??= []).push(go); });
  }

  begun(frame) {
    this.composer.name.value ||= frame.name;
    this.composer.email.value ||= frame.email;
    this.knows = Boolean(frame.name || frame.email);
  }

  linkChanged(up) {
    this.link = up;
    this.lostOnce ||= !up;
    if (up) {
      this.crowded = false;
      for (const go of this.waitingForLink?.splice(0) ?? []) go();
    }
    this.showStatus();
  }

  take(frame) {
    const news = this.log.add(frame);
    if (!this.panel.hidden) this.see();
    if (!news) return;
    this.log.setTyping(false);
    if (this.panel.hidden && frame.sequence > this.memory.value.seen) this.count(this.unread + 1);
  }

  stand(frame) {
    const before = this.state;
    this.state = frame;
    const were = before.chat === frame.chat && (before.phase === "connected" || before.phase === "held");
    // What the first frame says of an agent is where we are, not news.
    if (frame.phase === "connected" && !were && before !== UNKNOWN) {
      this.log.notice(this.say.arrived(frame.agent_title), frame.chat);
      if (this.panel.hidden) this.count(this.unread + 1);
    }
    if (frame.phase !== "waiting" || frame.callback) this.cards.close("callback");
    if (frame.chat) this.cards.close("rate");
    this.showStatus();
  }

  ended(frame) {
    this.state = { phase: "ended", chat: frame.chat };
    this.log.setTyping(false);
    const goesOn = frame.may_rate && this.cards.kind === "rate" && this.cards.chat === frame.chat; // we are told again
    if (!goesOn) this.cards.close();
    if (!this.noticed.has(frame.chat)) this.log.notice(frame.outcome === "refused" ? this.say.ended_refused : this.say.ended, frame.chat);
    this.noticed.add(frame.chat);
    if (frame.score) this.thank(frame.chat); // the line broke before we heard that it was taken
    if (frame.may_rate && !goesOn && this.memory.value.skipped !== frame.chat) this.cards.rate(frame.chat);
    this.showStatus();
  }

  thank(chat) {
    this.cards.close("rate");
    if (!this.thanked.has(chat)) this.log.notice(this.say.rate_thanks, chat);
    this.thanked.add(chat);
  }

  refused(frame) {
    if (frame.message_id) {
      const message = this.connection.drop(frame.message_id);
      if (message) this.failed.set(frame.message_id, message);
      const why = frame.code === "too_long" ? this.say.too_long(this.settings.charsMax) : "";
      this.log.fail(frame.message_id, why, frame.code === "chat_over");
    } else if (frame.code === "too_many_windows") {
      this.crowded = true;
    } else if (frame.code === "refused" || frame.code === "bad_frame") {
      this.composer.complain(this.say.refused);
    }
  }

  showStatus() {
    const { say, state } = this;
    let kind = state.phase;
    let lines = [];
    if (!this.link) {
      kind = "offline";
      lines = [this.crowded ? say.crowded : this.connection.wanted && this.lostOnce ? say.offline : say.connecting];
    } else if (state.callback && state.phase === "waiting") {
      lines = [say.callback_done];
    } else if (state.phase === "waiting") {
      const place = state.position > 0 ? say.position(state.position) : say.waiting;
      lines = [place, state.high_s >= 0 ? say.wait(this.span(state.low_s, state.high_s)) : ""];
    } else if (state.phase === "bot") lines = [say.bot_phase];
    else if (state.phase === "connected") lines = [say.connected(state.agent_title)];
    else if (state.phase === "held") lines = [say.held];
    const goes = this.link && ["waiting", "bot", "connected", "held"].includes(state.phase);
    this.status.className = `status ${kind}`;
    this.status.hidden = !lines.length || (!this.connection.wanted && !this.link);
    this.statusText.replaceChildren(el("b", {}, lines[0] ?? ""), lines[1] ?? "");
    this.endButton.hidden = !goes;
    this.callbackButton.hidden = !(goes && this.settings.callback && state.phase === "waiting" && !state.callback);
    this.composer.who.hidden = !this.settings.askWho || goes || state.phase === "ended" || this.knows || this.log.count > 0;
  }

  span(low, high) {
    const most = Math.ceil(high / 60);
    const least = Math.floor(low / 60);
    if (high < 60) return this.say.soon;
    return least < 1 || least === most ? this.say.upTo(most) : this.say.between(least, most);
  }
}

function pickLanguage(script, settings) {
  const said = [script.dataset.language, document.documentElement.lang, ...(navigator.languages ?? [])];
  for (const one of said) {
    const code = (one ?? "").slice(0, 2).toLowerCase();
    if (code in WORDS) return code;
  }
  return settings.language;
}
