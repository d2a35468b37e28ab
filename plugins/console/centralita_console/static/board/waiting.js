/* Who waits, why, and what a supervisor can do about it. */

import { barredWords, beforeWords, whyWords } from "../shared/barred.js";
import { h, reconcile, replace, set, setData, setText, show } from "../shared/dom.js";
import { icon, mediumIcon } from "../shared/icons.js";
import { Refused, api } from "../shared/session.js";
import { ms } from "../shared/time.js";
import { duration, hundredths, readable, t, whole, word } from "../shared/words.js";
import { agentTitle, changed, model, queueTitle, waiting, waitingN } from "./model.js";
import { STATES, post } from "./people.js";

const WHY_AGAIN_MS = 2000;
const BARRED_MAX = 40;

/** The list of the waiting, as a part; the chosen one unfolds. */
export function makeWaiting() {
  const pick = h("select", { class: "queue-pick", "aria-label": t("waiting.queue") });
  const gate = makeGate();
  const list = h("ol", { class: "waiters" });
  const none = h("p", { class: "nothing" }, icon("check"), t("waiting.nobody"));
  const more = h("p", { class: "nothing" });
  let known = "";
  pick.addEventListener("change", () => {
    model.queue = pick.value;
    changed();
  });
  return {
    el: h("div", { class: "waiting" }, h("div", { class: "drawer-bar" }, pick, gate.el), list, more, none),
    update() {
      const { queues } = model.board;
      const names = queues.map((queue) => `${queue.name}/${queue.title}`).join("|");
      if (known !== names)
        replace(
          pick,
          h("option", { value: "" }, t("waiting.all")),
          queues.map((queue) => h("option", { value: queue.name }, queue.title || queue.name)),
        );
      known = names;
      pick.value = model.queue;
      gate.update(queues.find((queue) => queue.name === model.queue));
      const all = waiting().filter((contact) => !model.queue || contact.queue === model.queue);
      const n = waitingN(model.queue);
      show(none, all.length === 0 && n === 0);
      show(more, n > all.length);
      setText(more, t("waiting.first", { n: whole(all.length), all: whole(n) }));
      reconcile(
        list,
        all.map((contact, index) => ({ contact, index })),
        ({ contact }) => contact.id,
        ({ contact }) => makeWaiter(contact.id),
      );
    },
  };
}

/** Opens and closes the queue that is looked at. */
function makeGate() {
  let queue = null;
  const button = h("button", {
    type: "button",
    class: "button",
    on: {
      click: () =>
        post(`/api/queues/${encodeURIComponent(queue.name)}/${queue.open ? "close" : "open"}`, {
          reason: t("queues.by_hand"),
        }),
    },
  });
  return {
    el: button,
    update(now) {
      queue = now;
      show(button, queue !== undefined);
      if (queue) setText(button, t(queue.open ? "queues.do_close" : "queues.do_open"));
    },
  };
}

function makeWaiter(id) {
  const place = h("span", { class: "waiter-place" });
  const who = h("strong");
  const facts = h("span", { class: "faint" });
  const time = h("span", { class: "waiter-time" });
  const phase = h("small", { class: "faint" });
  const kind = h("span", { class: "waiter-kind" });
  const details = makeDetails(id);
  const button = h(
    "button",
    {
      type: "button",
      class: "waiter",
      "aria-expanded": "false",
      on: {
        click: () => {
          model.contact = model.contact === id ? 0 : id;
          changed();
        },
      },
    },
    place,
    kind,
    h("span", { class: "waiter-words" }, who, facts),
    h("span", { class: "waiter-side" }, time, phase),
  );
  return {
    el: h("li", {}, button, details.el),
    update({ contact, index }) {
      const open = model.contact === id;
      setText(place, index + 1);
      if (!kind.firstChild) kind.append(mediumIcon(contact.medium));
      setText(
        who,
        contact.customer?.name || contact.customer_name || readable(contact.handle) || t("customer.unknown"),
      );
      setText(
        facts,
        [
          model.queue ? "" : queueTitle(contact.queue),
          skillsWords(contact.skills),
          contact.priority ? t("waiting.priority", { n: contact.priority }) : "",
          contact.customer?.vip ? t("customer.vip") : "",
          contact.rung ? t("waiting.rung", { n: contact.rung }) : "",
        ]
          .filter(Boolean)
          .join(" · "),
      );
      setData(time, "since", ms(contact.queued_ns));
      setText(
        phase,
        contact.phase === "waiting"
          ? contact.callback_handle
            ? word("medium", "callback")
            : ""
          : word("phase", contact.phase),
      );
      set(button, "aria-expanded", String(open));
      show(details.el, open);
      if (open) details.update(contact);
    },
  };
}

const skillsWords = (skills) =>
  Object.entries(skills)
    .map(([skill, level]) => (level > 1 ? `${skill} ${level}` : skill))
    .join(", ");

function makeDetails(id) {
  const why = h("div", { class: "why-place", "aria-live": "polite" }, h("p", { class: "faint" }, t("why.asking")));
  const move = makeMove(id);
  const pick = makePick(id);
  let asked_ms = 0;
  let asking = false;

  async function ask() {
    if (asking || Date.now() - asked_ms < WHY_AGAIN_MS) return;
    asking = true;
    try {
      draw(why, await api("GET", `/api/contacts/${id}/why`));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      replace(why, h("p", { class: "problem" }, error.message));
    } finally {
      asked_ms = Date.now();
      asking = false;
    }
  }

  return {
    el: h("div", { class: "details", hidden: true }, why, pick.el, move.el),
    update(contact) {
      ask();
      move.update(contact);
      pick.update(contact);
    },
  };
}

function draw(place, why) {
  const { estimate } = why;
  const known = estimate.expected_s >= 0;
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  replace(
    place,
    h("p", { class: "why-words" }, whyWords(why)),
    h(
      "dl",
      { class: "why-facts" },
      fact(t("why.ahead"), whole(why.ahead)),
      fact(t("why.capable"), whole(why.capable)),
      fact(t("why.available"), whole(why.available)),
      fact(t("why.expected"), known ? duration(estimate.expected_s * 1000) : "–"),
    ),
    known
      ? h(
          "p",
          { class: "faint" },
          t("why.interval", {
            low: duration(estimate.low_s * 1000),
            high: duration(estimate.high_s * 1000),
            share: hundredths(estimate.confidence),
          }),
          " ",
          estimate.basis,
        )
      : null,
    why.chosen_by.length
      ? h("p", {}, t("why.chosen"), " ", why.chosen_by.map(([key, value]) => `${key} ${value}`).join(", "))
      : null,
    why.before.length
      ? [
          h("h4", { class: "before" }, t("why.before")),
          h("ol", { class: "barred" }, why.before.map((one) => h("li", {}, h("b", {}, `#${one.contact}`), before(one)))),
        ]
      : null,
    why.agents.length
      ? h(
          "ol",
          { class: "barred" },
          why.agents
            .slice(0, BARRED_MAX)
            .map((barred) =>
              h(
                "li",
                {},
                h("b", {}, barred.agent ? agentTitle(barred.agent) : t("why.agents", { n: barred.agents })),
                h("span", {}, barredWords(barred)),
              ),
            ),
        )
      : null,
  );
}

const before = (one) =>
  h(
    "span",
    {},
    beforeWords({
      ...one,
      waited: duration(one.waited_s * 1000),
      head_start: duration(one.head_start_s * 1000),
    }),
  );

function makeMove(id) {
  const queue = h("select", { id: `move-queue-${id}` });
  const priority = h("input", { id: `move-priority-${id}`, type: "number", min: "-1000", max: "1000", step: "1" });
  const skills = h("input", {
    id: `move-skills-${id}`,
    autocomplete: "off",
    spellcheck: "false",
    pattern: String.raw`\s*([\w\-]+(\s+\d{1,2})?\s*(,|$)\s*)*`,
    placeholder: "spanish 6, billing 3",
  });
  let contact = null;
  const touched = new Map(); // each field by what was put into it: it stays, whatever comes in meanwhile
  const submit = async (event) => {
    event.preventDefault();
    const body = {};
    if (queue.value !== contact.queue) body.queue = queue.value;
    // A queue brings its own priority; what stands in the form is what is meant.
    if (body.queue || Number(priority.value) !== contact.priority) body.priority = Number(priority.value);
    if (skills.value.trim() !== skillsWords(contact.skills)) body.skills = readSkills(skills.value);
    const sent = new Map(touched);
    if (Object.keys(body).length && !(await post(`/api/contacts/${id}/move`, body))) return;
    for (const [field, value] of sent) if (touched.get(field) === value) touched.delete(field);
  };
  const row = (field, label) => h("div", { class: "row" }, h("label", { for: field.id }, label), field);
  const el = h(
    "form",
    {
      class: "move",
      on: {
        submit,
        input: ({ target }) => touched.set(target, target.value),
      },
    },
    row(queue, t("fact.queue")),
    row(priority, t("fact.priority")),
    row(skills, t("fact.skills")),
    h(
      "div",
      { class: "dialog-do" },
      h("button", { type: "submit", class: "button" }, icon("transfer"), t("waiting.move")),
    ),
  );
  return {
    el,
    update(now) {
      contact = now;
      if (queue.options.length !== model.board.queues.length)
        replace(
          queue,
          model.board.queues.map((one) => h("option", { value: one.name }, one.title || one.name)),
        );
      for (const [field, value] of [
        [queue, now.queue],
        [priority, String(now.priority)],
        [skills, skillsWords(now.skills)],
      ]) {
        const wanted = touched.get(field) ?? value;
        if (field.value !== wanted) field.value = wanted;
      }
    },
  };
}

/** "spanish 6, billing" as {spanish: 6, billing: 1}. */
function readSkills(text) {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, level] = /^(\S+)(?:\s+(\d+))?$/.exec(part) ?? [null, part, "1"];
      return [name, Number(level ?? 1)];
    }),
  );
}

function makePick(id) {
  const select = h("select", { id: `pick-${id}` });
  const submit = (event) => {
    event.preventDefault();
    if (select.value) post(`/api/contacts/${id}/pick`, { agent: select.value });
  };
  let known = null;
  const el = h(
    "form",
    { class: "pick", on: { submit } },
    h("label", { for: `pick-${id}` }, t("waiting.pick_for")),
    select,
    h("button", { type: "submit", class: "button primary" }, t("waiting.pick")),
  );
  return {
    el,
    update() {
      const here = [...model.board.agents]
        .filter((agent) => agent.state !== "offline")
        .sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));
      const now = here.map((agent) => `${agent.name}/${agent.state}`).join("|");
      if (known === now || document.activeElement === select) return;
      known = now;
      show(el, here.length > 0);
      const kept = select.value;
      replace(
        select,
        here.map((agent) =>
          h("option", { value: agent.name }, `${agent.title || agent.name} · ${word("state", agent.state)}`),
        ),
      );
      if (kept) select.value = kept; // nobody, when who was chosen is gone
    },
  };
}
