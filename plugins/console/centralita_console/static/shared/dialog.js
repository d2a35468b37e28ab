/* Dialogues, menus and passing messages: what stands above the page for a moment. */

import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

const TOAST_MS = 6000;
const TOASTS_MAX = 4;

/** Opens a modal dialogue; the browser keeps the focus in it and gives it back on closing.
 *  `build(close)` gives its body. One at a time: an open one is closed first. */
export function openDialog(title, build, { wide = false, onClose = () => {} } = {}) {
  document.querySelector("dialog[open]")?.close();
  const from = document.activeElement;
  const dialog = h("dialog", { class: wide ? "dialog wide" : "dialog", "aria-label": title });
  const close = () => dialog.close();
  dialog.append(
    h(
      "header",
      { class: "dialog-head" },
      h("h2", {}, title),
      h(
        "button",
        { class: "button quiet icon-only", type: "button", "aria-label": t("do.close"), on: { click: close } },
        icon("end"),
      ),
    ),
    build(close),
  );
  dialog.addEventListener("close", () => {
    if (dialog.contains(shelf)) placeShelf();
    dialog.remove();
    onClose();
    // This comes in a later task: whoever has gone elsewhere by now stays there.
    if (document.activeElement === document.body && from instanceof HTMLElement && from.isConnected) from.focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
  return dialog;
}

let closeOpenMenu = () => {};

/** A menu under a button. Items: `{label, hint, icon, checked, act}`, or null for a rule.
 *  Arrow keys move, Escape closes, letters jump to an item that begins with them. */
export function openMenu(button, items, { above = false } = {}) {
  const already = button.getAttribute("aria-expanded") === "true";
  closeOpenMenu();
  if (already) return;
  const menu = h("div", {
    class: above ? "menu above" : "menu",
    role: "menu",
    "aria-label": button.getAttribute("aria-label") ?? button.textContent,
  });
  const close = () => {
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
  };
  closeOpenMenu = close;
  const outside = (event) => !menu.contains(event.target) && !button.contains(event.target) && close();
  const entries = items.map((item) => (item === null ? h("hr") : menuItem(item, close, button)));
  replace(menu, entries);
  menu.addEventListener("keydown", (event) => moveInMenu(event, menu, close, button));
  menu.addEventListener(
    "focusout",
    (event) =>
      event.relatedTarget && !menu.contains(event.relatedTarget) && event.relatedTarget !== button && close(),
  );
  button.setAttribute("aria-expanded", "true");
  button.after(menu);
  document.addEventListener("pointerdown", outside, true);
  (menu.querySelector("[aria-checked=true]") ?? menu.querySelector("[role^=menuitem]"))?.focus();
}

function menuItem(item, close, button) {
  const act = () => {
    close();
    button.focus();
    item.act();
  };
  const choice = item.checked !== undefined;
  return h(
    "button",
    {
      type: "button",
      class: "menu-item",
      role: choice ? "menuitemradio" : "menuitem",
      "aria-checked": choice ? String(item.checked) : null,
      tabindex: "-1",
      on: { click: act },
    },
    item.icon ? icon(item.icon) : h("span", { class: `dot ${item.dot ?? "none"}`, "aria-hidden": "true" }),
    h("span", { class: "menu-label" }, item.label),
    item.hint ? h("kbd", {}, item.hint) : null,
    item.checked ? icon("check", "menu-check") : null,
  );
}

function moveInMenu(event, menu, close, button) {
  const entries = [...menu.querySelectorAll("[role^=menuitem]")];
  const at = entries.indexOf(document.activeElement);
  const jump = { ArrowDown: at + 1, ArrowUp: at - 1 + entries.length, Home: 0, End: entries.length - 1 }[event.key];
  if (jump !== undefined) {
    entries[jump % entries.length].focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    close();
    button.focus();
  } else if (event.key.length === 1 && event.key !== " ") {
    const letter = event.key.toLocaleLowerCase();
    const found = [...entries.slice(at + 1), ...entries].find((entry) =>
      entry.querySelector(".menu-label").textContent.toLocaleLowerCase().startsWith(letter),
    );
    if (!found) return;
    found.focus();
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

let shelf = null;

/** Puts the passing messages where they are seen: above an open dialogue that is only inside it. */
function placeShelf() {
  (document.querySelector("dialog[open]") ?? document.body).append(shelf);
}

/** A passing message. `kind`: info, good, bad; bad ones are read out at once. */
export function toast(text, kind = "info") {
  if (shelf === null) {
    shelf = h("div", { class: "toasts", "aria-live": "polite" });
    document.body.append(shelf);
  }
  placeShelf();
  const note = h(
    "p",
    { class: `toast ${kind}`, role: kind === "bad" ? "alert" : "status" },
    icon(kind === "bad" ? "alert" : kind === "good" ? "check" : "clock"),
    h("span", {}, text),
  );
  shelf.append(note);
  while (shelf.children.length > TOASTS_MAX) shelf.firstChild.remove();
  setTimeout(() => note.remove(), TOAST_MS);
}
