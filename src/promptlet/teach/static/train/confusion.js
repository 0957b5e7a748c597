/** What is mixed up with what: the pairs with their pictures, and the whole table. */
import { button, el } from "../app/dom.js";
import { t } from "../app/words.js";
import { picture } from "./picture.js";

const SHOWN_CLASSES = 24;
const SHOWN_PAIRS = 6;
const SHOWN_PICTURES = 6;

/** @param {import("../app/state.js").Project} project @param {any} result */
export function confusionCard(project, result) {
  const { classes = [], counts = [] } = result.matrix ?? {};
  if (!classes.length) return null;
  const pairs = result.confused ?? [];
  return el(
    "section",
    { class: "card stack", "aria-labelledby": "confusion" },
    el("h2", { id: "confusion" }, t("train.confusion.title")),
    el("p", { class: "soft" }, t(pairs.length ? "train.confusion.lead" : "train.confusion.none")),
    pairs.length > 0 && pairList(project, pairs),
    el(
      "details",
      { open: pairs.length > 0 && classes.length <= 12 },
      el("summary", {}, t("train.matrix.title")),
      table(classes, counts),
    ),
  );
}

/** The first of them; the others by a button. @param {import("../app/state.js").Project} project @param {any[]} pairs */
function pairList(project, pairs) {
  const items = pairs.map((pair) => pairItem(project, pair));
  const rest = items.slice(SHOWN_PAIRS);
  const list = el("ul", { class: "halves", role: "list" }, items.slice(0, SHOWN_PAIRS));
  const all = () => {
    list.append(...rest);
    more.remove();
    rest[0].tabIndex = -1;
    rest[0].focus();
  };
  const more = button(t("train.pair.more", { count: rest.length }), all, { class: "quiet" });
  return el("div", { class: "stack" }, list, rest.length > 0 && more);
}

/** @param {import("../app/state.js").Project} project @param {any} pair */
function pairItem(project, pair) {
  const isThere = (/** @type {string} */ id) => id in project.state.names; // it may have been removed since
  const images = (pair.images ?? []).filter(isThere).slice(0, SHOWN_PICTURES);
  return el(
    "li",
    { class: "pair" },
    el(
      "p",
      {},
      el("strong", {}, pair.class),
      ` ${t("train.pair.said")} `,
      el("strong", {}, pair.said),
      " ",
      el("span", { class: "soft number" }, t("train.pair.count", { count: pair.count, of: pair.of })),
    ),
    images.length > 0 &&
      el(
        "ul",
        { class: "thumbs", role: "list" },
        images.map((/** @type {string} */ id) => el("li", {}, picture(project, id, pair.class))),
      ),
  );
}

/** @param {string[]} classes @param {number[][]} counts */
function table(classes, counts) {
  const shown = chosen(counts);
  const rest = classes.length - shown.length;
  const head = el(
    "tr",
    {},
    el("td", {}),
    shown.map((column) =>
      el("th", { scope: "col", class: "upright", title: classes[column] }, el("span", {}, classes[column])),
    ),
    el("th", { scope: "col" }, t("train.matrix.right")),
  );
  const rows = shown.map((row) => {
    const all = counts[row].reduce((sum, one) => sum + one, 0);
    return el(
      "tr",
      {},
      el("th", { scope: "row", title: classes[row] }, classes[row]),
      shown.map((column) => cell(counts[row][column], all, row === column)),
      el("td", { class: "number" }, all ? `${counts[row][row]}/${all}` : "–"),
    );
  });
  return el(
    "div",
    { class: "stack tight" },
    el("p", { class: "soft", id: "matrix-words" }, t("train.matrix.caption")),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": t("train.matrix.title") },
      el(
        "table",
        { class: "matrix", "aria-describedby": "matrix-words" },
        el("thead", {}, head),
        el("tbody", {}, rows),
      ),
    ),
    rest > 0 && el("p", { class: "soft small-print" }, t("train.matrix.rest", { count: rest })),
  );
}

/** Of many classes those that go wrong most often, in their order. @param {number[][]} counts */
function chosen(counts) {
  const all = counts.map((_, row) => row);
  if (all.length <= SHOWN_CLASSES) return all;
  const wrong = all.map(
    (row) =>
      counts[row].reduce((sum, one, column) => sum + (column === row ? 0 : one), 0) +
      counts.reduce((sum, one, own) => sum + (own === row ? 0 : one[row]), 0),
  );
  return all
    .sort((a, b) => wrong[b] - wrong[a])
    .slice(0, SHOWN_CLASSES)
    .sort((a, b) => a - b);
}

/** @param {number} count @param {number} all of the row @param {boolean} isRight */
function cell(count, all, isRight) {
  const strength = all && count ? Math.max(1, Math.ceil((5 * count) / all)) : 0;
  return el("td", { class: `${isRight ? "hit" : "miss"} s${strength}` }, count);
}
