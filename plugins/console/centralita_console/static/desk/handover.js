/* To whom a conversation goes, or who is asked: an agent, a queue, or whoever has certain skills. */

import { h, reconcile, set, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { openDialog } from "../shared/dialog.js";
import { initials, t, word } from "../shared/words.js";
import { consult, control, transfer } from "./actions.js";
import { can, model, nameOf, onChange } from "./model.js";

const KINDS = ["agent", "queue", "skills", "number"];
const NUMBER = /^\+?[0-9*#]{1,40}$/;
const ORDER = ["idle", "connected", "wrapping", "offered", "full", "break", "lost"];
const NOTE_MAX = 2000;
const LEVEL_MAX = 10;
let redraw = null;
onChange(() => redraw?.());

/** Opens the dialogue for `what`: transfer or consult. Colleagues' states in it stay live. */
export function openHandover(contact, what) {
  const choice = { kind: "agent", agent: "", queue: "", number: "", skills: { ...contact.skills } };
  const build = (close) => makeBody(contact, what, choice, close);
  const onClose = () => redraw === mine && (redraw = null);
  openDialog(t(`handover.${what}`), build, { wide: true, onClose });
  const mine = redraw;
}

function makeBody(contact, what, choice, close) {
  const search = h("input", {
    type: "search",
    class: "search",
    placeholder: t("handover.search"),
    "aria-label": t("handover.search"),
    autofocus: true,
    autocomplete: "off",
  });
  const list = h("ul", { class: "targets", role: "listbox", "aria-label": t("handover.to") });
  const none = h("p", { class: "nothing", role: "status" });
  const skills = h("div", { class: "skill-rows" });
  const words = h("textarea", {
    class: "notes",
    rows: "2",
    maxlength: NOTE_MAX,
    placeholder: t("handover.note"),
    "aria-label": t("handover.note"),
  });
  let asking = false;
  const go = h("button", { type: "submit", class: "button primary" }, icon(what), t(`handover.do_${what}`));
  const toNumber =
    what === "transfer"
      ? can(contact, "forward")
      : (model.channels[contact.channel]?.controls ?? []).includes("call_number");
  const offered = KINDS.filter((kind) => kind !== "number" || toNumber);
  const number = h("input", {
    type: "tel",
    class: "search",
    placeholder: t("handover.number"),
    "aria-label": t("handover.number"),
    autocomplete: "off",
  });
  number.addEventListener("input", () => {
    choice.number = number.value.replace(/[ .-]/g, "");
    draw();
  });
  const kinds = offered.map((kind) =>
    h(
      "button",
      {
        type: "button",
        role: "radio",
        class: "segment",
        on: {
          click: () => {
            choice.kind = kind;
            draw();
            (kind === "number" ? number : search).focus();
          },
        },
      },
      t(`handover.kind_${kind}`),
    ),
  );

  const found = () => {
    const wanted = search.value.trim().toLocaleLowerCase();
    const all =
      choice.kind === "agent"
        ? agentsToChoose()
        : model.queues.map((queue) => ({ name: queue.name, title: queue.title || queue.name }));
    return all.filter((item) => `${item.title} ${item.name}`.toLocaleLowerCase().includes(wanted));
  };

  function draw() {
    kinds.forEach((button, index) => set(button, "aria-checked", String(offered[index] === choice.kind)));
    const bySkills = choice.kind === "skills";
    const byNumber = choice.kind === "number";
    const all = bySkills || byNumber ? [] : found();
    show(search, !bySkills && !byNumber);
    show(list, all.length > 0);
    show(none, !bySkills && !byNumber && all.length === 0);
    setText(none, t(search.value.trim() ? "handover.none" : "handover.alone"));
    show(number, byNumber);
    // Who is outside reads no notes; with a transfer it stays with the contact.
    show(words, !byNumber || what === "transfer");
    show(skills, bySkills);
    if (bySkills) drawSkills();
    else if (!byNumber)
      reconcile(
        list,
        all,
        (item) => `${choice.kind}/${item.name}`,
        (item) => makeTarget(item, choice, draw),
      );
    const chosen = byNumber
      ? NUMBER.test(choice.number)
      : bySkills
        ? Object.keys(choice.skills).length > 0
        : choice[choice.kind];
    go.disabled = asking || !chosen;
  }

  function drawSkills() {
    const names = [
      ...new Set([...Object.keys(contact.skills), ...Object.keys(choice.skills), ...Object.keys(model.agent.skills)]),
    ].sort();
    reconcile(
      skills,
      names,
      (name) => name,
      (name) => makeSkill(name, choice, draw),
    );
  }

  search.addEventListener("input", () => {
    draw();
    const only = found();
    if (only.length === 1) {
      choice[choice.kind] = only[0].name;
      draw();
    }
  });
  search.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = found();
    const at = all.findIndex((item) => item.name === choice[choice.kind]);
    const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
    if (next) choice[choice.kind] = next.name;
    draw();
    list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  });

  const submit = async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    const target = choice.kind === "skills" ? { skills: choice.skills } : { [choice.kind]: choice[choice.kind] };
    asking = true;
    draw();
    const done =
      what === "consult" && target.number
        ? await control(contact, "call_number", target.number)
        : await (what === "transfer" ? transfer : consult)(contact, target, words.value.trim());
    asking = false;
    if (done) close();
    else draw();
  };
  redraw = draw;
  draw();
  return h(
    "form",
    { class: "dialog-body handover", on: { submit } },
    h("p", { class: "faint" }, t(`handover.${what}_words`, { who: nameOf(contact) || t("customer.unknown") })),
    h("div", { class: "segments", role: "radiogroup", "aria-label": t("handover.kind") }, kinds),
    search,
    number,
    list,
    none,
    skills,
    words,
    h(
      "div",
      { class: "dialog-do" },
      h("button", { type: "button", class: "button", on: { click: close } }, t("do.cancel")),
      go,
    ),
  );
}

const agentsToChoose = () =>
  model.agents
    .filter((agent) => agent.name !== model.agent.name && agent.state !== "offline")
    .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.title.localeCompare(b.title))
    .map((agent) => ({ name: agent.name, title: agent.title || agent.name, state: agent.state }));

function makeTarget(first, choice, draw) {
  const state = h("span", { class: "target-state" });
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const el = h(
    "li",
    {
      role: "option",
      tabindex: "-1",
      class: "target",
      on: {
        click: () => {
          choice[choice.kind] = first.name;
          draw();
        },
      },
    },
    first.state ? h("span", { class: "face", "aria-hidden": "true" }, initials(first.title)) : icon("people"),
    h("span", { class: "target-name" }, first.title),
    first.state ? dot : null,
    state,
    icon("check", "target-check"),
  );
  return {
    el,
    update(item) {
      set(el, "aria-selected", String(choice[choice.kind] === item.name));
      setText(state, item.state ? word("state", item.state) : "");
      dot.className = `dot ${item.state ?? "none"}`;
    },
  };
}

function makeSkill(name, choice, draw) {
  const box = h("input", { type: "checkbox", id: `skill-${name}` });
  const level = h("input", {
    type: "number",
    min: "1",
    max: LEVEL_MAX,
    "aria-label": t("handover.level", { skill: name }),
  });
  const keep = () => {
    if (box.checked) choice.skills[name] = Math.min(LEVEL_MAX, Math.max(1, Math.trunc(Number(level.value)) || 1));
    else delete choice.skills[name];
    draw();
  };
  box.addEventListener("change", keep);
  level.addEventListener("change", keep);
  level.addEventListener("blur", draw);
  return {
    el: h("div", { class: "skill-row" }, box, h("label", { for: `skill-${name}` }, name), level),
    update() {
      box.checked = name in choice.skills;
      level.disabled = !box.checked;
      // What is being typed is not yet chosen, and news of colleagues draws all of this again.
      if (document.activeElement !== level) level.value = String(choice.skills[name] ?? 1);
    },
  };
}
