/** Undo and redo: two buttons, and the keys that everybody knows. */
import { el, set } from "../app/dom.js";
import { t } from "../app/words.js";
import { stepBack, stepWords } from "./acts.js";

/** @param {import("../app/state.js").Project} project @returns {{element: HTMLElement, draw: () => void, end: () => void}} */
export function historyPart(project) {
  const undo = stepButton("↶", () => void stepBack(project, "undo"));
  const redo = stepButton("↷", () => void stepBack(project, "redo"));
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const way = wayOf(event);
    if (way === null || isTyping(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    void stepBack(project, way);
  };
  document.addEventListener("keydown", onKey);
  const draw = () => {
    drawStep(undo, project.state.undo, "undo", "Control+Z");
    drawStep(redo, project.state.redo, "redo", "Control+Shift+Z");
  };
  return { element: el("div", { class: "row tight" }, undo, redo), draw, end: () => document.removeEventListener("keydown", onKey) };
}

/** @param {string} sign @param {() => void} run */
function stepButton(sign, run) {
  const act = (/** @type {Event} */ event) => {
    if (/** @type {Element} */ (event.currentTarget).getAttribute("aria-disabled") !== "true") run();
  };
  return el("button", { type: "button", class: "quiet icon", onclick: act }, el("span", { "aria-hidden": true }, sign));
}

/** @param {HTMLElement} element @param {import("../app/state.js").Step | null} step @param {"undo" | "redo"} way @param {string} keys */
function drawStep(element, step, way, keys) {
  const words = step ? t(`teach.${way}-step`, { step: stepWords(step) }) : t(`teach.${way}-none`);
  set(element, { "aria-label": words, title: words, "aria-disabled": step === null, "aria-keyshortcuts": keys });
}

/** @param {KeyboardEvent} event @returns {"undo" | "redo" | null} */
function wayOf(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (key === "z") return event.shiftKey ? "redo" : "undo";
  return key === "y" && !event.shiftKey ? "redo" : null;
}

/** Text fields have an undo of their own. @param {KeyboardEvent} event */
export function isTyping(event) {
  return event.target instanceof Element && event.target.closest("input:not([type=checkbox], [type=range], [type=file], [type=radio]), textarea, select") !== null;
}
