// Where the customer writes: words, files (button, paste, drop), and who they are before the first message.

const TYPING_EVERY_MS = 3000;

class Composer {
  constructor(say, settings, panel, act) {
    this.say = say;
    this.settings = settings;
    this.act = act; // { send(text, files, who), upload(file), typing(on) }
    this.files = []; // { element, file, done: attachment | null }
    this.typedMs = 0;
    const form = { autocomplete: "on" };
    this.name = el("input", { className: "field", type: "text", maxLength: 120, placeholder: say.name, "aria-label": say.name, autocomplete: "name", ...form });
    this.email = el("input", { className: "field", type: "email", maxLength: 254, placeholder: say.email, "aria-label": say.email, autocomplete: "email" });
    this.who = el("div", { className: "who-fields", hidden: true }, this.name, this.email);
    this.text = el("textarea", { rows: 1, placeholder: say.write, "aria-label": say.write, dir: "auto", oninput: () => this.changed(), onkeydown: (event) => this.key(event) });
    this.button = button("tool send", say.send, () => this.send(), icon("send"));
    this.tray = el("div", { className: "tray", hidden: true });
    this.alert = el("p", { className: "alert", role: "alert", hidden: true });
    const line = el("div", { className: "line" });
    if (settings.attachments) {
      this.picker = el("input", { type: "file", multiple: true, accept: settings.types.join(","), hidden: true, onchange: () => { this.addFiles(this.picker.files); this.picker.value = ""; } });
      line.append(button("tool", say.attach, () => this.picker.click(), icon("clip")), this.picker);
      this.takeDrops(panel);
    }
    line.append(this.text, this.button);
    this.box = el("div", {}, this.who, el("div", { className: "composer" }, this.alert, this.tray, line));
    this.changed();
  }

  key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.send();
    }
  }

  changed() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 130)}px`;
    const text = this.text.value.trim();
    this.button.disabled = (!text && !this.files.length) || this.files.some((one) => !one.done);
    const now = Date.now();
    if (text && now - this.typedMs > TYPING_EVERY_MS) {
      this.typedMs = now;
      this.act.typing(true);
    }
    clearTimeout(this.stopTimer);
    if (text) this.stopTimer = setTimeout(() => this.stop(), TYPING_EVERY_MS + 1500);
    else this.stop();
  }

  stop() {
    if (this.typedMs) this.act.typing(false);
    this.typedMs = 0;
  }

  send() {
    if (this.button.disabled) return;
    const text = this.text.value.trim();
    const most = this.settings.charsMax;
    if ([...text].length > most) return this.complain(this.say.too_long(most));
    if (!this.who.hidden && !this.email.checkValidity()) return this.email.reportValidity();
    if (!this.act.send(text, this.files.map((one) => one.done), { name: this.name.value.trim(), email: this.email.value.trim() })) return this.complain(this.say.offline);
    this.text.value = "";
    for (const one of this.files) if (one.preview) URL.revokeObjectURL(one.preview);
    this.files = [];
    this.tray.replaceChildren();
    this.tray.hidden = true;
    this.complain("");
    this.changed();
    this.text.focus();
  }

  complain(text) {
    this.alert.textContent = text;
    this.alert.hidden = !text;
  }

  takeDrops(panel) {
    const veil = el("div", { className: "drop", hidden: true }, this.say.drop);
    panel.append(veil);
    const has = (event) => event.dataTransfer?.types.includes("Files");
    panel.addEventListener("dragover", (event) => { if (has(event)) { event.preventDefault(); veil.hidden = false; } });
    panel.addEventListener("dragleave", (event) => { if (!panel.contains(event.relatedTarget)) veil.hidden = true; });
    panel.addEventListener("drop", (event) => { if (has(event)) { event.preventDefault(); veil.hidden = true; this.addFiles(event.dataTransfer.files); } });
    this.text.addEventListener("paste", (event) => { if (event.clipboardData?.files.length) { event.preventDefault(); this.addFiles(event.clipboardData.files); } });
  }

  addFiles(files) {
    this.complain("");
    for (const file of files) {
      if (this.files.length >= this.settings.filesMax) return this.complain(this.say.file_many(this.settings.filesMax));
      if (file.size > this.settings.bytesMax) { this.complain(this.say.file_big((this.settings.bytesMax / 1048576).toFixed(0))); continue; }
      this.addFile(file);
    }
  }

  async addFile(file) {
    const one = { done: null };
    const remove = button("", `${this.say.remove} ${file.name}`, () => { this.removeFile(one); this.text.focus(); }, icon("cross"));
    one.element = el("div", { className: "chip busy" }, el("span", {}, file.name || this.say.image), remove);
    if (file.type.startsWith("image/")) {
      one.preview = URL.createObjectURL(file);
      one.element.prepend(el("img", { src: one.preview, alt: "" }));
    }
    this.files.push(one);
    this.tray.append(one.element);
    this.tray.hidden = false;
    this.changed();
    try {
      one.done = await this.act.upload(file);
      one.element.classList.remove("busy");
    } catch (problem) {
      this.removeFile(one);
      this.complain(problem?.code === "bad_attachment" ? this.say.file_type : this.say.file_failed);
    }
    this.changed();
  }

  removeFile(one) {
    this.files = this.files.filter((other) => other !== one);
    one.element.remove();
    if (one.preview) URL.revokeObjectURL(one.preview);
    this.tray.hidden = !this.files.length;
    this.changed();
  }
}
