/** Questions in native dialogs: the focus goes in, stays in, and comes back. */
import { wordsOf } from "./api.js";
import { button, el, set } from "./dom.js";
import { announceNow } from "./live.js";
import { t } from "./words.js";

let counted = 0;

/**
 * Opens a dialog and gives what it was closed with. `build` gets a function that closes it with a value.
 * @template T
 * @param {string} title
 * @param {(close: (value: T) => void) => Node[]} build
 * @param {{wide?: boolean}} [options]
 * @returns {Promise<T | null>} null where it was left by Escape
 */
export function openDialog(title, build, { wide = false } = {}) {
  return new Promise((resolve) => {
    const id = `dialog-${++counted}`;
    const opener = document.activeElement;
    /** @type {T | null} */
    let answer = null;
    const dialog = el("dialog", { "aria-labelledby": id, class: wide ? "wide" : "" });
    const content = build((value) => {
      answer = value;
      dialog.close();
    });
    dialog.append(el("div", {}, el("h2", { id }, title), ...content));
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * @param {string} title
 * @param {string} words what will happen, and whether it can be undone
 * @param {{yes: string, danger?: boolean}} options
 * @returns {Promise<boolean>}
 */
export async function confirmed(title, words, { yes, danger = false }) {
  const answer = await openDialog(title, (close) => [
    el("p", {}, words),
    el("div", { class: "actions" },
      button(t("app.cancel"), () => close(false)),
      button(yes, () => close(true), { class: danger ? "primary danger" : "primary", autofocus: true })),
  ]);
  return answer === true;
}

/**
 * Asks for a text and does something with it. `check` gives what is wrong with it, or ""; what `act` raises is told, and
 * the text can be changed.
 * @param {string} title
 * @param {{label: string, value?: string, hint?: string, yes: string, check?: (text: string) => string,
 *   act?: (text: string) => Promise<unknown>}} options
 * @returns {Promise<string | null>} null where it was left
 */
export function askText(title, { label, value = "", hint = "", yes, check = () => "", act = async () => {} }) {
  return openDialog(title, (/** @type {(text: string | null) => void} */ close) => {
    const id = `text-${counted}`;
    const error = el("p", { class: "error", id: `${id}-error`, hidden: true });
    const input = el("input", { id, value, maxlength: 200, autocomplete: "off", autofocus: true });
    const go = el("button", { class: "primary" }, yes);
    set(input, { "aria-describedby": `${id}-hint ${id}-error` });
    const tell = (/** @type {string} */ wrong) => {
      set(error, { hidden: !wrong });
      set(input, { "aria-invalid": wrong ? "true" : null });
      error.textContent = wrong;
      if (wrong) announceNow(wrong);
      if (wrong) input.focus();
    };
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (go.disabled) return;
      const text = input.value.trim();
      const wrong = text ? check(text) : t("app.empty");
      tell(wrong);
      if (wrong) return;
      go.disabled = true;
      try {
        await act(text);
        close(text);
      } catch (failed) {
        tell(wordsOf(failed));
      }
      go.disabled = false;
    };
    if (value) window.setTimeout(() => input.select()); // what is typed at once into an empty field stays
    return [el("form", { class: "stack", onsubmit: submit, novalidate: true },
      el("div", { class: "field" }, el("label", { for: id }, label), input,
        el("p", { class: "hint", id: `${id}-hint`, hidden: !hint }, hint), error),
      el("div", { class: "actions" }, button(t("app.cancel"), () => close(null)), go))];
  });
}
