/* The right side: the customer, everything earlier on every channel, and the notes. */

import { h, replace, set, setText, show } from "../shared/dom.js";
import { icon, mediumIcon } from "../shared/icons.js";
import { ms } from "../shared/time.js";
import { clock, initials, moment, readable, t, word } from "../shared/words.js";
import { loadHistory } from "./actions.js";
import { changed, model, nameOf, queueTitle, titleOf, workOf } from "./model.js";
import { makeNotes } from "./notes.js";
import { paragraphs } from "./transcript.js";

const TABS = ["customer", "history", "notes"];
const MESSAGES_SHOWN_MAX = 200;

/** The side, as a part. */
export function makeSide() {
  const tabs = TABS.map((name) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${name}`,
        "aria-controls": `panel-${name}`,
        on: { click: () => openTab(name) },
      },
      t(`side.${name}`),
    ),
  );
  const bar = h("div", { class: "tabs", role: "tablist", "aria-label": t("side.label") }, tabs);
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(TABS.indexOf(model.sideTab) + step + TABS.length) % TABS.length];
    next.click();
    next.focus();
  });
  const close = h(
    "button",
    {
      type: "button",
      class: "button quiet icon-only side-close",
      "aria-label": t("do.close"),
      on: {
        click: () => {
          closeSide();
          queueMicrotask(() => document.querySelector(".open-side").focus());
        },
      },
    },
    icon("end"),
  );
  const parts = { customer: makeCustomer(), history: makeHistory(), notes: makeNotesPanel() };
  const panels = TABS.map((name) =>
    h(
      "div",
      { class: "panel", role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabindex: "0" },
      parts[name].el,
    ),
  );
  const el = h("aside", { class: "side", "aria-label": t("side.label") }, h("div", { class: "side-head" }, bar, close), panels);
  return {
    el,
    update(contact) {
      el.classList.toggle("open", model.sideOpen);
      TABS.forEach((name, index) => {
        const here = model.sideTab === name;
        set(tabs[index], "aria-selected", String(here));
        set(tabs[index], "tabindex", here ? "0" : "-1");
        show(panels[index], here);
        parts[name].update(contact);
      });
      loadHistory(contact);
    },
  };
}

/** Shows one of customer, history, notes; in place of the conversation where there is no room for both. */
export function openTab(name) {
  Object.assign(model, { sideTab: name, sideOpen: true });
  changed();
}

/** Gives its place back to the conversation, where it took it. */
export function closeSide() {
  model.sideOpen = false;
  changed();
}

function makeCustomer() {
  const el = h("div", { class: "customer" });
  let drawn = "";
  return {
    el,
    update(contact) {
      const now = JSON.stringify([
        contact.id,
        contact.customer,
        contact.customer_name,
        contact.handle,
        contact.callback_handle,
        contact.skills,
        contact.attributes,
        contact.priority,
        contact.summary,
        contact.queue,
        contact.language,
        contact.conversation,
        contact.callback_channel,
        contact.works.map((work) => [work.agent, work.state]),
      ]);
      if (drawn === now) return;
      drawn = now;
      const { customer } = contact;
      const name = nameOf(contact) || t("customer.unknown");
      replace(
        el,
        h(
          "div",
          { class: "card-who" },
          h("span", { class: "face big", "aria-hidden": "true" }, initials(name)),
          h(
            "div",
            {},
            h("strong", {}, name),
            // A consultation is about a customer without being theirs: it can't say whether they are known.
            contact.direction === "consultation"
              ? null
              : h("small", {}, customer ? t("customer.known") : t("customer.not_known")),
          ),
        ),
        customer?.vip ? h("p", { class: "vip" }, icon("star"), t("customer.vip")) : null,
        contact.summary
          ? h("section", { class: "summary" }, h("h3", {}, t("customer.summary")), paragraphs(contact.summary))
          : null,
        h(
          "dl",
          { class: "facts" },
          facts(contact).map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]),
        ),
        safeLink(customer?.url),
      );
    },
  };
}

function facts(contact) {
  const language = contact.customer?.language || contact.language;
  return [
    [t("fact.handle"), readable(contact.handle)],
    [t("fact.callback"), readable(contact.callback_handle)],
    [t("fact.language"), language && word("language", language)],
    [t("fact.queue"), queueTitle(contact.queue)],
    [
      t("fact.skills"),
      Object.entries(contact.skills)
        .map(([skill, level]) => `${skill} ${level}`)
        .join(", "),
    ],
    [t("fact.priority"), contact.priority ? String(contact.priority) : ""],
    [t("fact.arrived"), moment(ms(contact.arrived_ns))],
    [
      t("fact.agents"),
      contact.works.length > 1
        ? contact.works.map((work) => `${titleOf(work.agent)} (${word("work", work.state)})`).join(", ")
        : "",
    ],
    ...Object.entries(contact.attributes).map(([name, value]) => [name === "page" ? t("fact.page") : name, value]),
  ].filter(([, value]) => value);
}

function safeLink(address) {
  if (!address || !/^https?:\/\//.test(address)) return null;
  return h(
    "a",
    { class: "button wide", href: address, target: "_blank", rel: "noopener noreferrer" },
    icon("external"),
    t("customer.open"),
  );
}

function makeHistory() {
  const el = h("div", { class: "history" });
  let drawn = null;
  return {
    el,
    update(contact) {
      const history = model.histories.get(contact.id);
      if (drawn === history) return;
      drawn = history;
      if (!history || history.state === "loading")
        return replace(el, h("p", { class: "faint" }, t("history.loading")));
      if (history.state === "failed") return replace(el, h("p", { class: "problem" }, history.words));
      if (!history.past.length) return replace(el, h("p", { class: "nothing" }, icon("clock"), t("history.none")));
      replace(el, h("ol", { class: "past-list" }, history.past.map(pastContact)));
    },
  };
}

function pastContact(past) {
  const said = past.messages.filter((message) => message.text).slice(-MESSAGES_SHOWN_MAX);
  return h(
    "li",
    {},
    h(
      "details",
      { class: "past" },
      h(
        "summary",
        {},
        mediumIcon(past.medium),
        h(
          "span",
          { class: "past-words" },
          h("b", {}, past.subject || queueTitle(past.queue) || word("medium", past.medium)),
          h(
            "small",
            {},
            [moment(ms(past.arrived_ns)), past.agent && titleOf(past.agent), word("outcome", past.outcome)]
              .filter(Boolean)
              .join(" · "),
          ),
        ),
        past.disposition ? h("span", { class: "tag" }, word("disposition", past.disposition)) : null,
      ),
      past.notes ? h("section", { class: "past-notes" }, h("h3", {}, t("side.notes")), paragraphs(past.notes)) : null,
      past.summary
        ? h("section", { class: "past-notes" }, h("h3", {}, t("customer.summary")), paragraphs(past.summary))
        : null,
      said.length
        ? h(
            "ol",
            { class: "past-said" },
            said.map((message) =>
              h(
                "li",
                {},
                h("span", { class: "past-by" }, pastSpeaker(message)),
                h("span", { dir: "auto" }, message.text),
                message.at_ns ? h("time", {}, clock(ms(message.at_ns))) : null,
              ),
            ),
          )
        : h("p", { class: "faint" }, t("history.no_words")),
    ),
  );
}

function pastSpeaker(message) {
  if (message.author === "agent") return titleOf(message.author_id ?? "");
  return word("author", message.author);
}

function makeNotesPanel() {
  const notes = makeNotes("side-notes");
  const disposition = h("p", { class: "faint" });
  return {
    el: h(
      "div",
      { class: "notes-panel" },
      h("label", { for: "side-notes" }, t("notes.about")),
      notes.el,
      disposition,
    ),
    update(contact) {
      notes.update(contact);
      setText(
        disposition,
        contact.disposition ? t("notes.disposition", { name: word("disposition", contact.disposition) }) : "",
      );
      notes.el.disabled = !workOf(contact);
    },
  };
}
