/* Words and numbers in the reader's language. */

import { STRINGS } from "./strings.js";

export const LANGUAGES = ["en", "es"];
const LOCALES = { en: "en-GB", es: "es-ES" };
const stored = read("centralita.language");

export const language = LANGUAGES.includes(stored)
  ? stored
  : ((navigator.languages ?? [navigator.language])
      .map((tag) => tag.slice(0, 2))
      .find((tag) => LANGUAGES.includes(tag)) ?? "en");
const column = LANGUAGES.indexOf(language);
const locale = LOCALES[language];
document.documentElement.lang = language;

/** The text of a key; `{name}` takes a value, and of "one|many" the part that `values.n` asks for. */
export function t(key, values = {}) {
  const pair = STRINGS[key];
  if (pair === undefined) throw new Error(`strings.js has no ${key}`);
  let text = pair[column];
  if (text.includes("|")) text = text.split("|")[Number(values.n) === 1 ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? "")));
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** Text among ours. What is written from right to left keeps its direction to itself: an Arabic name would
 *  otherwise turn the number beside it around. */
export const isolated = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text);

/** The text of `prefix.value`, or the value itself where the house has no word for it: names that
 *  come from the engine or a configuration may be newer than this page. */
export function word(prefix, value) {
  const key = `${prefix}.${String(value).replace(/\W+/g, "_")}`;
  return key in STRINGS ? t(key) : String(value);
}

/** Keeps the choice and starts the page again in that language. */
export function chooseLanguage(name) {
  write("centralita.language", name);
  location.reload();
}

/** 0:42, 12:05, 1:02:33. Never negative. */
export function duration(ms) {
  const total = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

const clockFormat = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const dateFormat = new Intl.DateTimeFormat(locale, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const dayFormat = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const wholeFormat = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const unitFormat = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });

export const clock = (ms) => clockFormat.format(ms);
export const day = (ms) => dayFormat.format(ms);
/** The time of day when it was today, else the date too. */
export const moment = (ms) =>
  new Date(ms).toDateString() === new Date().toDateString() ? clock(ms) : dateFormat.format(ms);
export const whole = (n) => wholeFormat.format(n);
export const tenths = (n) => unitFormat.format(n);
/** A share between 0 and 1 as a whole percentage, without the sign. */
export const hundredths = (share) => wholeFormat.format(Math.round(share * 100));

/** 640 B, 12.3 kB, 1.2 MB. */
export function bytes(n) {
  if (n < 1000) return `${n} B`;
  return n < 1_000_000 ? `${unitFormat.format(n / 1000)} kB` : `${unitFormat.format(n / 1_000_000)} MB`;
}

/** Up to two letters for somebody's name. */
export function initials(name) {
  const parts = name.trim().split(/\s+/).filter(Boolean);
  const letters = parts.length > 1 ? [parts[0], parts.at(-1)] : parts;
  return letters.map((part) => [...part][0].toLocaleUpperCase(locale)).join("") || "·";
}

/** A handle that says something to a person: a number, an address, an account; "" for an id of a page. */
export const readable = (handle) => (/^[a-z]+:[^@]*$/i.test(handle) ? "" : handle);

/** A stored preference, or null where storage is forbidden. */
export function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a preference, for this visit only where storage is forbidden. */
export function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing to do: the choice holds until the page is left.
  }
}
