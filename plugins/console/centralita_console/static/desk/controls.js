/* What the connection itself can do, where the channel says so: mute, record, press keys. */

import { h, set, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { t } from "../shared/words.js";
import { control } from "./actions.js";
import { model, stateOf } from "./model.js";

const KEYS = "[0-9*#A-D]{1,40}";
const NOTHING = { muted: false, recording: "", outside: "" };
const ASKED = ["ringing", "talking"];

const wordsOf = (contact) =>
  contact.direction === "consultation" ? [] : (model.channels[contact.channel]?.controls ?? []);

/** The strip of controls, as a part. It shows those that the channel knows and that mean something now. */
export function makeControls() {
  let contact = null;
  const button = (word, picture) =>
    h(
      "button",
      { type: "button", class: "button quiet", on: { click: () => control(contact, word) } },
      icon(picture),
      h("span", {}, t(`control.${word}`)),
    );
  const buttons = {
    mute: button("mute", "sound"),
    unmute: button("unmute", "sound"),
    record: button("record", "plus"),
    record_pause: button("record_pause", "hold"),
    record_resume: button("record_resume", "resume"),
    record_stop: button("record_stop", "end"),
    drop_number: button("drop_number", "end"),
  };
  const keys = h("input", {
    type: "text",
    class: "keys",
    inputmode: "tel",
    autocomplete: "off",
    pattern: KEYS,
    maxlength: 40,
    placeholder: t("control.keys"),
    "aria-label": t("control.keys"),
  });
  const press = h(
    "form",
    {
      on: {
        submit: (event) => {
          event.preventDefault();
          if (!keys.value) return;
          control(contact, "keys", keys.value);
          keys.value = "";
        },
      },
    },
    keys,
  );
  const says = h("span", { class: "strip-words" });
  const el = h("div", { class: "controls", role: "toolbar", "aria-label": t("control.label") }, says, Object.values(buttons), press);
  return {
    el,
    update(now) {
      if (contact?.id !== now.id) keys.value = "";
      contact = now;
      const words = wordsOf(contact);
      const { muted, recording, outside } = model.lines.get(contact.id) ?? NOTHING;
      const state = stateOf(contact);
      const asked = ASKED.includes(outside);
      const means = {
        mute: !muted,
        unmute: muted,
        record: recording === "",
        record_pause: recording === "on",
        record_resume: recording === "paused",
        record_stop: recording !== "",
        drop_number: asked,
      };
      show(el, words.length > 0 && (state === "connected" || (state === "held" && asked)));
      for (const [word, one] of Object.entries(buttons)) show(one, words.includes(word) && means[word]);
      show(press, words.includes("keys"));
      setText(says, recording ? t(`control.recording_${recording}`) : "");
      set(el, "data-recording", recording);
    },
  };
}
