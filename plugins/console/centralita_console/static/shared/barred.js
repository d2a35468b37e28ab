/* Why somebody does not get a contact, in the reader's language, from the numbers of the explanation. */

import { h } from "./dom.js";
import { STRINGS } from "./strings.js";
import { t, word } from "./words.js";

/** What bars whom, in words; the engine's own where it knows a rule that this page does not. */
export const barredWords = (barred) =>
  `rule.${barred.rule}` in STRINGS ? t(`rule.${barred.rule}`, barred) : barred.words;

/** By what somebody stands before a contact. */
export const beforeWords = (one) => (`before.${one.by}` in STRINGS ? t(`before.${one.by}`, one) : one.words);

/** The list of an AgentExplanation: a line for each of the first waiting contacts. */
export const barredContacts = (explanation) =>
  h(
    "ol",
    { class: "barred" },
    explanation.contacts.map(([contact, barred]) =>
      h("li", {}, h("b", {}, `#${contact}`), h("span", {}, barredWords(barred))),
    ),
  );

/** The first sentence of a ContactExplanation. */
export function whyWords(why) {
  if (why.phase !== "waiting") return t("why.elsewhere", { phase: word("phase", why.phase) });
  if (why.position === 0) return t("why.due");
  const count = (...rules) =>
    why.agents.filter((one) => rules.includes(one.rule)).reduce((sum, one) => sum + one.agents, 0);
  const skilled = why.agents.reduce((sum, one) => sum + one.agents, 0) - count("skill");
  if (count("eligible")) return t("why.soon");
  if (!skilled)
    return t("why.nobody_capable", {
      skills:
        Object.entries(why.skills)
          .map((pair) => pair.join(" "))
          .join(", ") || "–",
    });
  const away = count("unavailable");
  return t("why.none_free", { busy: skilled - away, away });
}
