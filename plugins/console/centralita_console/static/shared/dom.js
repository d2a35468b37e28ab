/* Making and keeping DOM nodes.

   Text reaches the page as text nodes and attributes as attributes; there is no way in here to hand
   over markup, so nothing a customer writes can become an element. Lists are reconciled by key, so
   that a node which is focused, selected or half typed into stays the same node. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties and children; null, undefined and false children are left out.
 *  `on` holds event listeners, `data` data attributes; true and false attributes come and go. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same in the SVG namespace. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (name === "data") {
      for (const [key, item] of Object.entries(value)) setData(node, key, item);
    } else {
      set(node, name, value);
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Sets an attribute; null, undefined and false remove it. Writes nothing when it is so already. */
export function set(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** Sets a data attribute; null and undefined remove it. */
export function setData(node, key, value) {
  if (value === null || value === undefined) delete node.dataset[key];
  else if (node.dataset[key] !== String(value)) node.dataset[key] = String(value);
}

/** Sets the text of a node that holds nothing else. */
export function setText(node, text) {
  const wanted = String(text ?? "");
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Shows or hides. */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** Replaces the children. Only for parts that hold no focus and no input. */
export function replace(node, ...children) {
  node.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
}

const kept = new WeakMap();

/** Brings the children of `parent` in line with `items`.
 *  `make(item)` gives a part `{el, update(item)}`; parts are kept by `keyOf(item)` and moved only when
 *  the order differs, and never the one that has the focus, because moving a node takes the focus from it. */
export function reconcile(parent, items, keyOf, make) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const part = before.get(key) ?? make(item);
    part.update(item);
    after.set(key, part);
  }
  for (const [key, part] of before) {
    if (!after.has(key)) part.el.remove();
  }
  let next = parent.firstChild;
  for (const part of after.values()) {
    // Around the one that has the focus the others are moved: they stand where they belong when it is their turn.
    if (part.el.contains(document.activeElement)) while (next !== part.el) next = behind(next);
    if (part.el === next) next = next.nextSibling;
    else parent.insertBefore(part.el, next);
  }
  kept.set(parent, after);
}

/** Puts a node behind all its siblings; gives the one that came after it. */
function behind(node) {
  const next = node.nextSibling;
  node.parentNode.append(node);
  return next;
}

/** Has a double click do what one does: before its second click, what was pressed may have given way to something
 *  else. A button of the class `again` is meant to be pressed several times. */
export function takeDoubleClicksAsOne() {
  const take = (event) => {
    if (event.detail < 2 || !event.target.closest("button:not(.again)")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  document.addEventListener("click", take, true);
}

/** Whether keys typed now are text. */
export function isTyping(target) {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
