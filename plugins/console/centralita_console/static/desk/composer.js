/* Where an agent writes: to the customer, or for colleagues only; with ready-made texts and files. */

import { h, reconcile, set, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { toast } from "../shared/dialog.js";
import { Refused } from "../shared/session.js";
import { t } from "../shared/words.js";
import { say, typing } from "./actions.js";
import { FILES_MAX, upload } from "./files.js";
import { can, changed, isConsulted, isLive, model, nameOf, writes } from "./model.js";

const LENGTH_MAX = 20_000;
const HEIGHT_PX_MAX = 220;
const IDLE_MS = 4000;
const CHOICES_MAX = 8;
const NO_DRAFT = { text: "", internal: false, files: [] };

const draftOf = (contact) => model.drafts.get(contact.id) ?? NO_DRAFT;
const keep = (contact, fields) => model.drafts.set(contact.id, { ...draftOf(contact), ...fields });
const isInternal = (contact) => draftOf(contact).internal || !writes(contact);

/** The composer, as a part. Drafts stay with their conversation. */
export function makeComposer() {
  let contact = null;
  let idle = 0;
  const text = h("textarea", {
    id: "composer",
    rows: "1",
    dir: "auto",
    maxlength: LENGTH_MAX,
    "aria-label": t("composer.label"),
    "aria-autocomplete": "list",
    "aria-controls": "quick-texts",
    spellcheck: "true",
  });
  const put = (words) => {
    text.value = words;
    keep(contact, { text: text.value });
  };
  const quickTexts = makeQuickTexts(text, put, (words) => {
    put(words);
    text.focus();
    grow();
  });
  const files = makeFiles(() => contact);
  const toggle = () => {
    keep(contact, { internal: !draftOf(contact).internal });
    changed();
    text.focus();
  };
  const internal = h(
    "button",
    {
      type: "button",
      class: "button quiet",
      "aria-pressed": "false",
      "aria-keyshortcuts": "Alt+I",
      title: "Alt+I",
      on: { click: toggle },
    },
    icon("lock"),
    h("span", {}, t("composer.internal")),
  );
  const quick = h(
    "button",
    { type: "button", class: "button quiet", title: "/", on: { click: () => quickTexts.open(contact) } },
    h("span", { class: "slash", "aria-hidden": "true" }, "/"),
    h("span", {}, t("composer.quick")),
  );
  const hint = h("span", { class: "faint composer-hint" });
  const send = h("button", { type: "submit", class: "button primary" }, icon("send"), t("composer.send"));
  const form = h(
    "form",
    { class: "composer" },
    quickTexts.el,
    files.list,
    text,
    h("div", { class: "composer-foot" }, internal, quick, files.button, hint, send),
  );

  function submit() {
    const words = text.value.trim();
    const { files: attached } = draftOf(contact);
    if (!words && !attached.length) return;
    if (attached.some((entry) => entry.attachment === null)) return;
    const inside = isInternal(contact);
    model.drafts.delete(contact.id);
    text.value = "";
    typing(contact, false);
    say(contact, words, inside, attached);
    grow();
    changed();
  }

  function grow() {
    text.style.setProperty("height", "auto");
    text.style.setProperty("height", `${Math.min(HEIGHT_PX_MAX, text.scrollHeight)}px`);
  }

  text.addEventListener("input", () => {
    keep(contact, { text: text.value });
    quickTexts.update(contact);
    grow();
    if (isInternal(contact)) return;
    const mine = contact;
    typing(mine, text.value !== "");
    clearTimeout(idle);
    idle = setTimeout(() => typing(mine, false), IDLE_MS);
  });
  text.addEventListener("keydown", (event) => {
    if (event.isComposing || quickTexts.key(event, contact)) return;
    if (
      event.key === "Enter" &&
      !event.shiftKey &&
      !event.altKey &&
      (event.ctrlKey || event.metaKey || isLive(contact))
    ) {
      event.preventDefault();
      submit();
    }
  });
  text.addEventListener("blur", quickTexts.close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    text.focus();
  });
  files.receive(form, text);

  return {
    el: form,
    toggleInternal: () => contact && writes(contact) && toggle(),
    update(now) {
      const other = contact?.id !== now.id;
      contact = now;
      const draft = draftOf(contact);
      if (other || text.value !== draft.text) {
        text.value = draft.text;
        quickTexts.close();
        queueMicrotask(grow);
      }
      const inside = isInternal(contact);
      form.classList.toggle("inside", inside);
      set(internal, "aria-pressed", String(inside));
      internal.disabled = !writes(now);
      show(quick, model.quickTexts.length > 0);
      files.update(now);
      set(
        text,
        "placeholder",
        inside
          ? t("composer.to_colleagues")
          : isConsulted(now)
            ? t("composer.to_asker")
            : t("composer.to_customer", { who: nameOf(now) || t("customer.unknown") }),
      );
      setText(hint, isLive(now) ? t("composer.hint_live") : t("composer.hint_deferred"));
      send.disabled = draft.files.some((entry) => entry.attachment === null);
    },
  };
}

/* Ready-made texts that a "/…" at the beginning asks for; arrows choose, Enter and Tab take. */
function makeQuickTexts(text, ask, take) {
  let chosen = 0;
  const el = h("ul", {
    id: "quick-texts",
    class: "quick",
    role: "listbox",
    "aria-label": t("composer.quick"),
    hidden: true,
  });
  const close = () => show(el, false);

  function draw(contact) {
    const found = matching(text.value, contact);
    chosen = Math.min(chosen, Math.max(0, found.length - 1));
    show(el, found.length > 0);
    reconcile(
      el,
      found.map((item, index) => ({ item, index })),
      ({ item }) => `${contact.id}/${item.key}/${item.title}`,
      ({ item }) => {
        const choice = h(
          "li",
          { role: "option" },
          h("kbd", {}, `/${item.key}`),
          h("b", {}, item.title),
          h("span", {}, filled(item, contact)),
        );
        choice.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          close();
          take(filled(item, contact));
        });
        return { el: choice, update: ({ index }) => set(choice, "aria-selected", String(index === chosen)) };
      },
    );
  }

  return {
    el,
    close,
    open(contact) {
      if (!text.value) ask("/");
      text.focus();
      chosen = 0;
      draw(contact);
    },
    update(contact) {
      chosen = 0;
      draw(contact);
    },
    /** Takes a key while the list is open; true when it was for the list. */
    key(event, contact) {
      const found = el.hidden ? [] : matching(text.value, contact);
      if (!found.length || !["ArrowDown", "ArrowUp", "Enter", "Tab", "Escape"].includes(event.key)) return false;
      event.preventDefault();
      if (event.key.startsWith("Arrow")) {
        chosen = (chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
        draw(contact);
      } else {
        close();
        if (event.key !== "Escape") take(filled(found[chosen], contact));
      }
      return true;
    },
  };
}

/** Those of the contact's language whose key begins, or whose title holds, what was typed. */
function matching(typed, contact) {
  const asked = /^\/(\S*)$/.exec(typed);
  if (!asked) return [];
  const wanted = asked[1].toLocaleLowerCase();
  return model.quickTexts
    .filter((item) => !item.language || !contact.language || contact.language.startsWith(item.language))
    .filter(
      (item) => item.key.toLocaleLowerCase().startsWith(wanted) || item.title.toLocaleLowerCase().includes(wanted),
    )
    .slice(0, CHOICES_MAX);
}

const filled = (item, contact) =>
  item.text.replaceAll("{customer}", nameOf(contact)).replaceAll("{agent}", model.agent.title || model.agent.name);

/* Files that go with the next message: chosen, dropped or pasted; each is handed over at once. */
function makeFiles(current) {
  let chosenFor = null; // while somebody chooses, another conversation may come to the front
  const input = h("input", { type: "file", multiple: true, hidden: true });
  const choose = () => {
    chosenFor = current();
    input.click();
  };
  const button = h(
    "button",
    { type: "button", class: "button quiet", on: { click: choose } },
    icon("attach"),
    h("span", {}, t("composer.attach")),
    input,
  );
  const list = h("ul", { class: "attached" });
  input.addEventListener("change", () => {
    const contact = chosenFor ?? current();
    if (model.contacts.has(contact.id)) add(contact, [...input.files]);
    input.value = "";
    chosenFor = null;
  });

  function add(contact, files) {
    const before = draftOf(contact).files;
    if (before.length + files.length > FILES_MAX) return toast(t("composer.too_many_files", { n: FILES_MAX }), "bad");
    const entries = files.map((file) => ({
      key: `${file.name}/${Math.random()}`,
      name: file.name,
      attachment: null,
    }));
    keep(contact, { files: [...before, ...entries] });
    changed();
    entries.forEach((entry, index) => handOver(contact, entry, files[index]));
  }

  async function handOver(contact, entry, file) {
    const others = () => draftOf(contact).files.filter((one) => one.key !== entry.key);
    try {
      const attachment = await upload(contact, file);
      if (others().length === draftOf(contact).files.length) return;
      keep(contact, {
        files: draftOf(contact).files.map((one) => (one.key === entry.key ? { ...one, attachment } : one)),
      });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      keep(contact, { files: others() });
      toast(error.message, "bad");
    }
    changed();
  }

  const takes = (transfer) => can(current(), "attach") && transfer.files.length > 0;
  return {
    button,
    list,
    receive(form, text) {
      form.addEventListener("dragover", (event) => can(current(), "attach") && event.preventDefault());
      form.addEventListener("drop", (event) => {
        if (!takes(event.dataTransfer)) return;
        event.preventDefault();
        add(current(), [...event.dataTransfer.files]);
      });
      text.addEventListener("paste", (event) => {
        if (!takes(event.clipboardData)) return;
        event.preventDefault();
        add(current(), [...event.clipboardData.files]);
      });
    },
    update(contact) {
      show(button, can(contact, "attach"));
      const { files } = draftOf(contact);
      show(list, files.length > 0);
      reconcile(
        list,
        files,
        (entry) => entry.key,
        (entry) => {
          const words = h("span");
          const out = h(
            "button",
            { type: "button", class: "attached-out", "aria-label": t("composer.drop_file", { name: entry.name }) },
            icon("end"),
          );
          out.addEventListener("click", () => {
            keep(contact, { files: draftOf(contact).files.filter((one) => one.key !== entry.key) });
            changed();
          });
          return {
            el: h("li", {}, icon("file"), words, out),
            update: (now) => setText(words, now.attachment ? now.name : t("composer.uploading", { name: now.name })),
          };
        },
      );
    },
  };
}
