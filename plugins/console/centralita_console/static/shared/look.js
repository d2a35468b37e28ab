/* How the page looks and sounds: theme, language, sound and notifications, kept in this browser. */

import { LANGUAGES, chooseLanguage, language, read, t, write } from "./words.js";

const THEMES = ["system", "light", "dark"];

/** The chosen theme: system, light or dark. */
export const theme = () => document.documentElement.dataset.theme ?? "system";

/** Chooses a theme and keeps it. */
export function chooseTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  write("centralita.theme", name);
}

/** Light where it is dark now, and the other way round, whatever chose it. */
export function flipTheme() {
  const dark = theme() === "dark" || (theme() === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  chooseTheme(dark ? "light" : "dark");
}

/** Menu items for theme and language. */
export function lookItems() {
  return [
    ...THEMES.map((name) => ({ label: t(`theme.${name}`), checked: theme() === name, act: () => chooseTheme(name) })),
    null,
    ...LANGUAGES.map((name) => ({
      label: t(`language.${name}`),
      checked: language === name,
      act: () => chooseLanguage(name),
    })),
  ];
}

/** Whether offers sound; on unless switched off. */
export const soundOn = () => read("centralita.sound") !== "off";
export const chooseSound = (on) => write("centralita.sound", on ? "on" : "off");

/** Whether offers are shown outside the page; off unless switched on and allowed. */
export const notesOn = () =>
  read("centralita.notifications") === "on" && globalThis.Notification?.permission === "granted";

/** Switches notifications; asks the browser's leave the first time. */
export async function chooseNotes(on) {
  write("centralita.notifications", on ? "on" : "off");
  if (on && globalThis.Notification && Notification.permission === "default") await Notification.requestPermission();
}

let sound = null;

/** Two soft tones. Browsers allow it once the page has been touched; before that it stays silent. */
export function chime() {
  if (!soundOn() || !globalThis.AudioContext || navigator.userActivation?.hasBeenActive === false) return;
  sound ??= new AudioContext();
  const start = sound.currentTime;
  for (const [at, hertz] of [
    [0, 659.25],
    [0.16, 880],
  ]) {
    const tone = sound.createOscillator();
    const level = sound.createGain();
    tone.frequency.value = hertz;
    level.gain.setValueAtTime(0.0001, start + at);
    level.gain.exponentialRampToValueAtTime(0.16, start + at + 0.02);
    level.gain.exponentialRampToValueAtTime(0.0001, start + at + 0.5);
    tone.connect(level).connect(sound.destination);
    tone.start(start + at);
    tone.stop(start + at + 0.55);
  }
}
