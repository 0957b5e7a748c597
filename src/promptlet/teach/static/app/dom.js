/** Elements made of plain data. Text only ever becomes text: nothing here reads markup. */

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, unknown>} Props
 */

/** What is set as a property, because the attribute means only the value at the start. */
const PROPERTIES = new Set(["value", "checked", "indeterminate", "selected", "srcObject", "muted"]);

/**
 * `el("button", {type: "button", class: "primary", onclick: go}, "Go")`. A prop that begins with "on" is a listener,
 * null, undefined and false leave an attribute out, true sets it empty (aria-…: "true" and "false" are written).
 * @param {string} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  set(element, props);
  element.append(...nodes(children));
  return element;
}

/**
 * Sets props of an element that is there.
 * @param {Element} element
 * @param {Props} props
 */
export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {any} */ (value));
    else if (PROPERTIES.has(name)) /** @type {any} */ (element)[name] = value;
    else attribute(element, name, value);
  }
}

/** @param {Element} element @param {string} name @param {unknown} value */
function attribute(element, name, value) {
  if (name === "style") throw new TypeError("style is set by element.style, which the policy of the page allows");
  const isTold = name.startsWith("aria-") || name === "draggable" || name === "spellcheck";
  if (value === null || value === undefined || (value === false && !isTold)) element.removeAttribute(name);
  else element.setAttribute(name, value === true && !isTold ? "" : String(value));
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function nodes(children) {
  const kept = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  return kept.map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * Puts children in the place of what an element holds.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/**
 * A button; `props` as in el.
 * @param {string} words
 * @param {() => void} onclick
 * @param {Props} [props]
 * @returns {HTMLButtonElement}
 */
export function button(words, onclick, props = {}) {
  return el("button", { type: "button", onclick, ...props }, words);
}

/** The h1 of a view, which takes the focus when the view is shown. @param {string} words @param {Props} [props] */
export function heading(words, props = {}) {
  return el("h1", { tabindex: "-1", ...props }, words);
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
