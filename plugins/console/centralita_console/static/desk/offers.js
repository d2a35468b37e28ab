/* Offers: what the engine proposes, with the time that is left, above everything else. */

import { h, reconcile, set, setData, setText, show } from "../shared/dom.js";
import { icon, mediumIcon } from "../shared/icons.js";
import { openMenu } from "../shared/dialog.js";
import { ms } from "../shared/time.js";
import { duration, isolated, t, word } from "../shared/words.js";
import { accept, decline } from "./actions.js";
import { nameOf, offers, queueTitle, titleOf, workOf } from "./model.js";

const DECLINE_REASONS = ["busy", "not_mine", "language", "technical", "other"];

/** The dock of offers, as a part. It never takes the focus: somebody may be typing to a customer. */
export function makeOffers() {
  const dock = h("div", { class: "offers" });
  const spoken = h("p", { class: "unseen", role: "alert" });
  const announced = new Set();
  return {
    el: h("section", { class: "offers-place", "aria-label": t("offer.label") }, spoken, dock),
    update() {
      const now = offers();
      reconcile(dock, now, (contact) => workOf(contact).offer, makeOffer);
      show(dock, now.length > 0);
      for (const contact of now) {
        const { offer } = workOf(contact);
        if (announced.has(offer)) continue;
        announced.add(offer);
        setText(
          spoken,
          t("offer.spoken", { who: nameOf(contact) || t("customer.unknown"), queue: queueTitle(contact.queue) }),
        );
      }
      if (now.length) return;
      announced.clear();
      setText(spoken, ""); // the same words again are news only after none
    },
  };
}

/** Opens the reasons for declining the oldest offer. */
export function openDecline() {
  document.querySelector(".offer .decline")?.click();
}

function makeOffer(first) {
  const work = workOf(first);
  const [from, until] = [ms(work.since_ns), ms(work.deadline_ns)];
  let contact = first;
  const who = h("strong", { class: "offer-who" });
  const what = h("span", { class: "offer-what" });
  const facts = h("span", { class: "offer-facts" });
  const words = h("p", { class: "offer-last", dir: "auto" });
  const declineButton = h(
    "button",
    {
      type: "button",
      class: "button decline",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-keyshortcuts": "Alt+X",
    },
    t("offer.decline"),
    h("kbd", {}, "Alt X"),
  );
  declineButton.addEventListener("click", () =>
    openMenu(
      declineButton,
      DECLINE_REASONS.map((reason) => ({ label: t(`decline.${reason}`), act: () => decline(contact, reason) })),
    ),
  );
  const el = h(
    "article",
    { class: "offer", "aria-label": t("offer.label") },
    h("span", { class: "offer-kind" }, mediumIcon(first.direction === "consultation" ? "consult" : first.medium)),
    h("div", { class: "offer-words" }, h("div", { class: "offer-line" }, who, what), facts, words),
    h(
      "div",
      { class: "offer-time", role: "timer" },
      h("span", { data: { until, urgent: 6000 } }),
      h("small", {}, t("offer.left")),
    ),
    h(
      "div",
      { class: "offer-do" },
      h("div", { class: "menu-place" }, declineButton),
      h(
        "button",
        {
          type: "button",
          class: "button accept",
          "aria-keyshortcuts": "Alt+A",
          on: { click: () => accept(contact) },
        },
        icon("check"),
        t("offer.accept"),
        h("kbd", {}, "Alt A"),
      ),
    ),
    h("span", { class: "offer-bar", data: { from, until, urgent: 6000 }, "aria-hidden": "true" }),
  );
  return {
    el,
    update(now) {
      contact = now;
      setText(who, nameOf(contact) || t("customer.unknown"));
      setText(what, offerWords(contact));
      setText(facts, factsOf(contact).map(isolated).join("  ·  "));
      set(facts, "title", facts.textContent);
      const last = contact.messages.findLast((message) => message.author === "customer" && message.text);
      setText(words, contact.summary || last?.text || "");
      show(words, words.textContent !== "");
      setData(el, "vip", contact.customer?.vip ? "yes" : null);
      set(el, "data-contact", contact.id);
    },
  };
}

function offerWords(contact) {
  if (contact.direction === "consultation") return t("offer.consultation", { who: titleOf(asker(contact)) });
  if (contact.callback_handle) return t("offer.callback");
  return contact.subject || word("medium", contact.medium);
}

const asker = (contact) => contact.works.find((work) => work.state !== "offered")?.agent ?? "";

function factsOf(contact) {
  const skills = Object.entries(contact.skills).map(([skill, level]) => (level > 1 ? `${skill} ${level}` : skill));
  const waited = ms(workOf(contact).since_ns - contact.queued_ns);
  return [
    contact.customer?.vip ? t("customer.vip") : "",
    queueTitle(contact.queue),
    waited > 1000 ? t("offer.waited", { time: duration(waited) }) : "",
    contact.language && word("language", contact.language),
    skills.join(", "),
  ].filter(Boolean);
}
