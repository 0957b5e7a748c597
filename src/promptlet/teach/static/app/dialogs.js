/** Questions in native dialogs: the focus goes in, stays in, and comes back. */
import { button, el, set } from "./dom.js";
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
 * Asks for a text. `check` gives what is wrong with it, or "".
 * @param {string} title
 * @param {{label: string, value?: string, hint?: string, yes: string, check?: (text: string) => string, known?: string[]}} options
 * @returns {Promise<string | null>}
 */
export function askText(title, { label, value = "", hint = "", yes, check = () => "", known = [] }) {
  return openDialog(title, (close) => {
    const id = `text-${counted}`;
    const error = el("p", { class: "error", id: `${id}-error`, hidden: true });
    const input = el("input", { id, value, maxlength: 200, autocomplete: "off", autofocus: true });
    set(input, { "aria-describedby": `${id}-hint ${id}-error`, list: known.length ? `${id}-known` : null });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = input.value.trim();
      const wrong = text ? check(text) : t("app.empty");
      set(error, { hidden: !wrong });
      set(input, { "aria-invalid": wrong ? "true" : null });
      error.textContent = wrong;
      if (wrong) input.focus();
      else close(text);
    };
    window.setTimeout(() => input.select());
    return [el("form", { class: "stack", onsubmit: submit, novalidate: true },
      el("div", { class: "field" }, el("label", { for: id }, label), input,
        el("p", { class: "hint", id: `${id}-hint`, hidden: !hint }, hint), error,
        el("datalist", { id: `${id}-known` }, known.map((one) => el("option", { value: one })))),
      el("div", { class: "actions" }, button(t("app.cancel"), () => close(null)),
        el("button", { class: "primary" }, yes)))];
  });
}
