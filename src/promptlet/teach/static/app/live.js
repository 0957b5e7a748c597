/** What is told: toasts that all see, and the live regions that screen readers read. */
import { wordsOf } from "./api.js";
import { button, byId, el } from "./dom.js";
import { t } from "./words.js";

const SHOWN = 8000;
let last = 0;
let timer = 0;

/** Read by screen readers when they have time. @param {string} words */
export function announce(words) {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => say("polite", words), 50);
}

/**
 * Progress, told politely: every five seconds at most, so that nobody is talked down.
 * @param {string} words
 * @param {boolean} [isLast] the end is told in any case
 */
export function announceProgress(words, isLast = false) {
  const now = Date.now();
  if (!isLast && now - last < 5000) return;
  last = now;
  announce(words);
}

/** Read at once: something is wrong. @param {string} words */
export function announceNow(words) {
  say("urgent", words);
}

/** @param {string} id @param {string} words */
function say(id, words) {
  const region = byId(id);
  region.textContent = region.textContent === words ? `${words}\u00a0` : words;
}

/**
 * A message in the corner. Those that ask for something (with an action) and bad ones stay until they are closed.
 * @param {string} words
 * @param {{tone?: "" | "good" | "warn" | "bad", action?: {words: string, run: () => void}, stays?: boolean, key?: string}} [options]
 *   key: of messages of which one at a time is shown
 */
export function toast(words, { tone = "", action, stays = tone === "bad", key } = {}) {
  const box = el("div", { class: `toast ${tone}`, "data-key": key }, el("span", {}, words));
  closeToast(key);
  const close = () => box.remove();
  if (action) {
    box.append(button(action.words, () => {
      close();
      action.run();
    }, { class: "small" }));
  }
  box.append(button("✕", close, { class: "quiet icon small", "aria-label": t("app.close") }));
  const toasts = byId("toasts");
  toasts.append(box);
  while (toasts.children.length > 4) toasts.firstElementChild?.remove();
  if (!stays) leaveLater(box, close, action ? 2 * SHOWN : SHOWN);
  if (tone === "bad") say("urgent", words);
  else announce(words);
}

/** Takes away the message of a key. @param {string} [key] */
export function closeToast(key) {
  for (const one of byId("toasts").children) if (key && /** @type {HTMLElement} */ (one).dataset.key === key) one.remove();
}

/** A message that somebody reads or holds the focus in stays. @param {HTMLElement} box @param {() => void} close @param {number} wait */
function leaveLater(box, close, wait) {
  window.setTimeout(() => {
    if (box.matches(":hover, :focus-within")) leaveLater(box, close, wait);
    else close();
  }, wait);
}

/** Tells what went wrong. @param {unknown} error @param {string} [key] of messages of which one at a time is shown */
export function tellFailure(error, key) {
  if (error instanceof Error && error.name === "AbortError") return;
  toast(wordsOf(error), { tone: "bad", key });
}

/** Runs something and tells its failure. @param {() => Promise<unknown>} work @returns {Promise<boolean>} whether it went well */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    tellFailure(error);
    return false;
  }
}
