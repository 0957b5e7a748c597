/** What the prompts say of the chosen picture, or of what the camera shows: a sentence and labelled bars. */
import { button, el, fill, set } from "../app/dom.js";
import { announce } from "../app/live.js";
import { percent, t } from "../app/words.js";
import { bar, setBar } from "../charts/bar.js";

const FIRST = 6;
const UNSURE = 0.5;

/**
 * @typedef {import("./asking.js").Asking} Asking
 * @typedef {import("./asking.js").Answer} Answer
 */

/** @param {Asking} asking */
export function answersPart(asking) {
  const content = el("div", { class: "columns" });
  const wait = el("p", { class: "soft" });
  const element = el(
    "section",
    { class: "card stack", "aria-labelledby": "answer" },
    el("h2", { id: "answer" }, t("ask.answer")),
    wait,
    content,
  );
  /** @type {ReturnType<typeof column>[]} */
  let columns = [];
  let told = "";

  const look = () => {
    const { answers, error } = nowOf(asking);
    const isAsking = !asking.film && asking.chosen !== null && asking.chosen.answers === null;
    wait.hidden = Boolean(answers?.length) && !error;
    wait.textContent = error || t(isAsking ? "ask.waiting" : "ask.nothing");
    set(wait, { class: error ? "error" : "soft" });
    set(content, { "aria-busy": isAsking ? "true" : null });
    if (isAsking) return; // the former answer stays until there is another, so that nothing jumps
    const shown = error ? [] : (answers ?? []);
    if (columns.length !== shown.length || columns.some((one, place) => one.prompt !== shown[place].prompt)) {
      columns = shown.map((answer) => column(asking, answer.prompt, shown.length > 1));
      fill(
        content,
        columns.map((one) => one.element),
      );
      set(content, { class: shown.length > 1 ? "columns two" : "columns" });
    }
    shown.forEach((answer, place) => columns[place].show(answer));
    tell(shown[0]);
  };
  const tell = (/** @type {Answer | undefined} */ answer) => {
    if (asking.film || !answer || answer.error) return; // the camera tells by itself, now and then
    const words = announcement(answer);
    if (words !== told) announce(words);
    told = words;
  };
  return { element, look };
}

/** @param {Asking} asking @returns {{answers: Answer[] | null, error: string}} */
function nowOf(asking) {
  return asking.film ?? asking.chosen ?? { answers: null, error: "" };
}

/** @param {Answer} answer */
function announcement(answer) {
  const share = percent(answer.top[0]?.probability ?? 0);
  return answer.class_name === null
    ? t("ask.announce.none")
    : t("ask.announce", { class: answer.class_name, percent: share });
}

/**
 * What one prompt says. Its rows stay the same elements, so that bars move.
 * @param {Asking} asking @param {string} prompt @param {boolean} isNamed
 */
function column(asking, prompt, isNamed) {
  const headline = el("p", { class: "headline" });
  const hint = el("p", { class: "soft" });
  const list = el("ul", { class: "likely", role: "list", "aria-label": t("ask.likely") });
  const more = button(
    "",
    () => {
      isWhole = !isWhole;
      if (last) show(last);
    },
    { class: "quiet small" },
  );
  /** @type {Map<string, {element: HTMLElement, share: HTMLElement, drawn: SVGElement}>} */
  const rows = new Map();
  let isWhole = false;
  /** @type {Answer | null} */
  let last = null;

  const show = (/** @type {Answer} */ answer) => {
    last = answer;
    headline.textContent = answer.error ? t("ask.failed") : headlineOf(answer);
    hint.textContent = answer.error ?? (answer.class_name === null ? t("ask.none.hint") : "");
    hint.hidden = !hint.textContent;
    const told = toldOf(asking, answer, isWhole);
    const wanted = told.map(({ class_name: name, probability }) => {
      const row = rows.get(name) ?? rowOf(asking, name);
      rows.set(name, row);
      row.share.textContent = shareOf(probability);
      setBar(row.drawn, probability);
      return row.element;
    });
    if (wanted.length !== list.children.length || wanted.some((one, place) => one !== list.children[place]))
      list.replaceChildren(...wanted);
    more.hidden = answer.top.length <= FIRST;
    more.textContent = isWhole ? t("ask.fewer") : t("ask.all", { count: answer.top.length });
    set(more, { "aria-expanded": String(isWhole) });
  };
  const element = el(
    "div",
    { class: "stack" },
    isNamed && el("h3", {}, titleOf(asking, prompt)),
    el("div", { class: "stack tight" }, headline, hint),
    list,
    more,
  );
  return { prompt, element, show };
}

/** @param {Asking} asking @param {string} prompt */
function titleOf(asking, prompt) {
  return prompt === asking.project.id ? t("ask.compare.own", { title: asking.project.state.title }) : prompt;
}

/** @param {Answer} answer */
function headlineOf(answer) {
  if (answer.class_name === null) return t("ask.none.answer");
  const sure = (answer.top[0]?.probability ?? 1) >= UNSURE;
  return sure ? answer.class_name : t("ask.unsure", { class: answer.class_name });
}

/** The likeliest, and in any case what was asked beside the taught ones. @param {Asking} asking @param {Answer} answer @param {boolean} isWhole */
function toldOf(asking, answer, isWhole) {
  if (isWhole || answer.top.length <= FIRST) return steady(asking, answer.top);
  return answer.top.filter((one, place) => place < FIRST || asking.names.includes(one.class_name));
}

/** Before the camera the order stays as it is, so that bars can be read. @param {Asking} asking @param {import("./asking.js").Likely[]} top */
function steady(asking, top) {
  return asking.film ? [...top].sort((a, b) => a.class_name.localeCompare(b.class_name)) : top;
}

/** @param {Asking} asking @param {string} name */
function rowOf(asking, name) {
  const share = el("span", { class: "number" });
  const drawn = bar(0);
  const isNew = asking.names.includes(name);
  const element = el(
    "li",
    {},
    el("span", { class: "name" }, name, isNew && [" ", el("span", { class: "tag" }, t("ask.new"))]),
    share,
    drawn,
  );
  return { element, share, drawn };
}

/** @param {number} probability */
function shareOf(probability) {
  if (probability > 0 && probability < 0.01) return t("ask.below", { percent: percent(0.01) });
  return percent(probability);
}
