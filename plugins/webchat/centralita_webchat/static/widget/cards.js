// The small forms between what was said and where one writes: callback, ending, rating. One at a time.
// What was asked in one may get lost with the line: it stays open until it is heard that it was done.

class Cards {
  constructor(say, act) {
    this.say = say;
    this.act = act; // { callback(handle), end(), rate(score, comment, chat), skip(chat), back() }
    this.box = el("div", {});
    this.kind = "";
  }

  close(kind) {
    if (kind && this.kind !== kind) return;
    const had = this.box.contains(this.box.getRootNode().activeElement);
    this.kind = "";
    this.box.replaceChildren();
    if (had) this.act.back();
  }

  show(kind, label, ...children) {
    this.kind = kind;
    this.box.replaceChildren(el("form", { className: "card", "aria-label": label, noValidate: true, onsubmit: (event) => { event.preventDefault(); this.submit(); } }, ...children));
    this.box.scrollIntoView({ block: "nearest" }); // where the screen is low, all of the panel scrolls
  }

  callback() {
    const say = this.say;
    const handle = el("input", { className: "field", type: "text", inputMode: "tel", maxLength: 254, placeholder: say.callback_handle, "aria-label": say.callback_handle, autocomplete: "tel", oninput: () => { bad.hidden = true; } });
    const bad = el("p", { className: "bad", role: "alert", hidden: true }, say.callback_bad);
    this.submit = () => {
      const text = handle.value.trim();
      bad.hidden = /^\+?[0-9][0-9 ()./-]{4,24}$/.test(text) || /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(text);
      if (!bad.hidden) return handle.focus();
      this.act.callback(text);
    };
    this.show("callback", say.callback_title, el("h3", {}, say.callback_title), el("p", {}, say.callback_text), handle, bad, this.row(say.callback_do, say.cancel));
    handle.focus();
  }

  end() {
    const say = this.say;
    this.submit = () => this.act.end();
    this.show("end", say.end_sure, el("h3", {}, say.end_sure), this.row(say.end_yes, say.end_no));
    this.box.querySelector(".main").focus();
  }

  rate(chat) {
    const say = this.say;
    let score = 0;
    const stars = el("fieldset", { className: "stars", role: "radiogroup", "aria-label": say.rate_title });
    const labels = [1, 2, 3, 4, 5].map((value) => {
      const input = el("input", { type: "radio", name: "score", value: String(value), "aria-label": say.rate_of(value), onchange: () => { score = value; main.disabled = false; light(value); } });
      return el("label", { title: say.rate_of(value), onmouseenter: () => light(value), onmouseleave: () => light(score) }, input, icon("star"));
    });
    const light = (upTo) => labels.forEach((label, at) => label.classList.toggle("on", at < upTo));
    stars.append(...labels);
    const comment = el("input", { className: "field", type: "text", maxLength: 1000, placeholder: say.rate_comment, "aria-label": say.rate_comment });
    const row = this.row(say.rate_do, say.rate_skip, () => this.act.skip(chat));
    const main = row.firstChild;
    main.disabled = true;
    this.submit = () => { if (score) this.act.rate(score, comment.value.trim(), chat); };
    this.chat = chat;
    this.show("rate", say.rate_title, el("h3", {}, say.rate_title), stars, comment, row);
  }

  row(yes, no, then) {
    return el("div", { className: "row" }, el("button", { type: "submit", className: "main" }, yes), button("", no, () => { this.close(); then?.(); }));
  }
}
