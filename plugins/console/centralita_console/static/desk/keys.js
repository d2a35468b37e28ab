/* The keyboard. Alt and a letter works everywhere, also while typing; a bare key only outside a field.

   Letters are read by their place on the board (`event.code`), so that Alt on a Mac, which types other
   signs, means the same; AltGr, which types signs on Spanish boards, is left alone. */

import { h } from "../shared/dom.js";
import { isTyping } from "../shared/dom.js";
import { openDialog } from "../shared/dialog.js";
import { t } from "../shared/words.js";

/** What the overlay shows, in groups: keys and the string that explains them. */
export const KEYS = [
  [
    "keys.offers",
    [
      ["Alt A", "keys.accept"],
      ["Alt X", "keys.decline"],
    ],
  ],
  [
    "keys.talks",
    [
      ["Alt ↑ ↓", "keys.next"],
      ["Alt 1…9", "keys.nth"],
      ["Alt C", "keys.write"],
      ["Alt I", "keys.internal"],
      ["/", "keys.quick"],
      ["Enter", "keys.send"],
    ],
  ],
  [
    "keys.contact",
    [
      ["Alt O", "keys.hold"],
      ["Alt T", "keys.transfer"],
      ["Alt Q", "keys.consult"],
      ["Alt E", "keys.end"],
      ["Alt W", "keys.finish"],
    ],
  ],
  [
    "keys.around",
    [
      ["Alt U", "keys.customer"],
      ["Alt H", "keys.history"],
      ["Alt N", "keys.notes"],
      ["Alt S", "keys.status"],
      ["Alt P", "keys.place"],
      ["Alt Y", "keys.why"],
      ["?", "keys.help"],
      ["Esc", "keys.close"],
    ],
  ],
];

/** Listens to the keys; `commands` maps what `keyName` says to what is done. */
export function listenToKeys(commands) {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.repeat) return;
    const name = keyName(event);
    const act = commands[name];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function keyName(event) {
  if (event.ctrlKey || event.metaKey || event.getModifierState("AltGraph")) return "";
  if (event.altKey) return `Alt ${event.code.replace(/^(Key|Digit|Numpad(?=\d))/, "")}`;
  return isTyping(event.target) ? "" : event.key;
}

/** Opens the overlay of shortcuts. */
export function openKeys() {
  openDialog(
    t("keys.title"),
    () =>
      h(
        "div",
        { class: "dialog-body key-groups" },
        KEYS.map(([title, rows]) =>
          h(
            "section",
            {},
            h("h3", {}, t(title)),
            h(
              "dl",
              {},
              rows.map(([keys, what]) => [
                h(
                  "dt",
                  {},
                  keys.split(" ").map((key) => h("kbd", {}, key)),
                ),
                h("dd", {}, t(what)),
              ]),
            ),
          ),
        ),
      ),
    { wide: true },
  );
}
