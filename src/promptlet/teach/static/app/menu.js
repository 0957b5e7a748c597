/** A menu that opens at a button or at a place: arrows, Home, End and first letters go through it, Escape leaves it. */
import { el } from "./dom.js";

/** @typedef {{words: string, run: () => void, hint?: string, danger?: boolean, disabled?: boolean} | "line"} MenuItem */

/**
 * @param {HTMLElement} anchor the focus comes back to it
 * @param {string} label
 * @param {MenuItem[]} items
 * @param {{x: number, y: number}} [place] of the pointer; below the anchor without it
 */
export function openMenu(anchor, label, items, place) {
  const close = () => {
    anchor.focus({ preventScroll: true }); // before what is chosen opens a dialog, which gives the focus back to it
    menu.hidePopover();
  };
  const menu = el("div", { role: "menu", popover: "auto", class: "menu", "aria-label": label, tabindex: "-1" },
    items.map((item) => (item === "line" ? el("hr", { role: "separator" }) : entry(item, close))));
  menu.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => step(menu, event));
  menu.addEventListener("toggle", (/** @type {ToggleEvent} */ event) => {
    if (event.newState !== "closed") return;
    set(anchor, false);
    if (menu.contains(document.activeElement) || document.activeElement === document.body) anchor.focus();
    menu.remove();
  });
  (anchor.closest("dialog, main") ?? document.body).append(menu);
  set(anchor, true);
  menu.showPopover();
  put(menu, anchor.getBoundingClientRect(), place);
  entries(menu)[0]?.focus();
}

/** @param {HTMLElement} anchor @param {boolean} isOpen */
function set(anchor, isOpen) {
  if (anchor.hasAttribute("aria-haspopup")) anchor.setAttribute("aria-expanded", String(isOpen));
}

/** @param {Exclude<MenuItem, "line">} item @param {() => void} close */
function entry(item, close) {
  const run = () => {
    close();
    item.run();
  };
  return el("button", { type: "button", role: "menuitem", tabindex: "-1", class: item.danger ? "danger" : null, disabled: item.disabled, onclick: run },
    el("span", {}, item.words), item.hint && el("kbd", { "aria-hidden": true }, item.hint));
}

/** @param {Element} menu @returns {HTMLElement[]} */
function entries(menu) {
  return [...menu.querySelectorAll(":scope > [role=menuitem]:not(:disabled)")].map((one) => /** @type {HTMLElement} */ (one));
}

/** @param {HTMLElement} menu @param {KeyboardEvent} event */
function step(menu, event) {
  const all = entries(menu);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const letter = event.key.length === 1 && event.key !== " " ? event.key.toLowerCase() : null;
  const steps = /** @type {Record<string, number>} */ ({
    ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1,
  });
  if (event.key === "Tab") menu.hidePopover();
  else if (event.key in steps) all[steps[event.key]].focus();
  else if (letter) [...all.slice(at + 1), ...all].find((one) => one.textContent?.toLowerCase().startsWith(letter))?.focus();
  else return;
  event.stopPropagation();
  event.preventDefault();
}

/** @param {HTMLElement} menu @param {DOMRect} box @param {{x: number, y: number}} [place] */
function put(menu, box, place) {
  const { width, height } = menu.getBoundingClientRect();
  const x = place ? place.x : Math.min(box.left, window.innerWidth - width - 8);
  const y = place ? place.y : box.bottom + 4;
  menu.style.left = `${Math.max(8, Math.min(x, window.innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(y, window.innerHeight - height - 8))}px`;
}
