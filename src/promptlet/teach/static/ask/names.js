/** Names that were never taught, typed as chips: Enter or a comma adds, Backspace takes the last away. */
import { button, el, fill, set } from "../app/dom.js";
import { announce } from "../app/live.js";
import { t } from "../app/words.js";

const MOST = 50;

/** @param {import("./asking.js").Asking} asking */
export function namesPart(asking) {
  const input = el("input", {
    id: "new-name",
    maxlength: 100,
    autocomplete: "off",
    autocapitalize: "off",
    enterkeyhint: "done",
    "aria-describedby": "new-name-hint new-name-error",
  });
  const error = el("p", { class: "error", id: "new-name-error", role: "alert", hidden: true });
  const chips = el("ul", { class: "chips", role: "list", "aria-label": t("ask.names.list") });
  const cannot = el("div", { class: "notice" }, el("p", {}, t("ask.names.cannot")));
  const add = el("button", {}, t("ask.names.add"));
  const form = el(
    "form",
    { class: "stack tight", novalidate: true },
    el(
      "div",
      { class: "field" },
      el("label", { for: "new-name" }, t("ask.names.label")),
      el("div", { class: "row tight nowrap" }, input, add),
      el("p", { class: "hint", id: "new-name-hint" }, t("ask.names.hint")),
      error,
    ),
  );
  const element = el(
    "section",
    { class: "card stack", "aria-labelledby": "names" },
    el("h2", { id: "names" }, t("ask.names.title")),
    cannot,
    form,
    chips,
  );

  const take = (/** @type {string} */ text) => {
    const given = text
      .split(",")
      .map((one) => one.trim().replace(/\s+/g, " "))
      .filter(Boolean);
    const known = new Set([...asking.own, ...asking.names].map((name) => name.toLowerCase()));
    const taught = given.find((name) => known.has(name.toLowerCase()));
    const fresh = [...new Set(given)].filter((name) => !known.has(name.toLowerCase()));
    tellWrong(
      taught
        ? t("ask.names.known", { name: taught })
        : asking.names.length + fresh.length > MOST
          ? t("ask.names.most", { count: MOST })
          : "",
    );
    const room = fresh.slice(0, MOST - asking.names.length);
    input.value = "";
    if (!room.length) return;
    asking.names = [...asking.names, ...room];
    asking.changed();
  };
  const tellWrong = (/** @type {string} */ words) => {
    error.hidden = !words;
    error.textContent = words;
    set(input, { "aria-invalid": words ? "true" : null });
  };
  const remove = (/** @type {string} */ name) => {
    asking.names = asking.names.filter((one) => one !== name);
    announce(t("ask.names.removed", { name }));
    asking.changed();
    input.focus();
  };
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    take(input.value);
  });
  input.addEventListener("input", () => {
    if (input.value.includes(",")) take(input.value);
  });
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const last = asking.names.at(-1);
    if (event.key === "Backspace" && !input.value && last && !event.repeat) remove(last);
  });
  const look = (/** @type {string} */ topic) => {
    if (topic !== "settings") return;
    cannot.hidden = asking.canNames;
    form.hidden = !asking.canNames;
    fill(
      chips,
      asking.names.map((name) =>
        el(
          "li",
          { class: "chip" },
          el("span", {}, name),
          button("✕", () => remove(name), { "aria-label": t("ask.names.remove", { name }) }),
        ),
      ),
    );
    chips.hidden = asking.names.length === 0;
  };
  return { element, look };
}
