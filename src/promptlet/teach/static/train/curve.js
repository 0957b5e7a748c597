/** Would more photos help? How good it was with fewer of them. */
import { plot } from "../charts/plot.js";
import { el } from "../app/dom.js";
import { has, percent, t } from "../app/words.js";

/** @param {any} result */
export function curveCard({ curve }) {
  if (!curve?.shots?.length || curve.shots.length < 2) return null;
  const key = `train.curve.${curve.words_key}`;
  const shares = curve.shots.map((/** @type {number} */ _, /** @type {number} */ place) => share(curve, place));
  return el(
    "section",
    { class: "card stack", "aria-labelledby": "curve" },
    el("h2", { id: "curve" }, t("train.curve.title")),
    has(key) && el("p", {}, t(key)),
    el(
      "figure",
      {},
      el("div", { class: "figure" }, drawn(curve, shares)),
      el("figcaption", {}, t("train.curve.caption")),
    ),
    el("details", {}, el("summary", {}, t("train.curve.numbers")), table(curve, shares)),
  );
}

/** @param {any} curve @param {number} place */
function share(curve, place) {
  const of = (/** @type {number[] | undefined} */ values) =>
    typeof values?.[place] === "number" ? values[place] / 100 : undefined;
  return { y: of(curve.percent) ?? 0, low: of(curve.low), high: of(curve.high) };
}

/** Each doubling is a step of the same length. @param {any} curve @param {{y: number, low?: number, high?: number}[]} shares */
function drawn(curve, shares) {
  const logs = curve.shots.map(Math.log2);
  const [first, width] = [logs[0], logs[logs.length - 1] - logs[0] || 1];
  const points = shares.map((one, place) => ({
    ...one,
    x: (logs[place] - first) / width,
    label: String(curve.shots[place]),
  }));
  return plot(points, { ticks: [0, 0.25, 0.5, 0.75, 1].map((y) => [y, percent(y)]) });
}

/** @param {any} curve @param {{y: number, low?: number, high?: number}[]} shares */
function table(curve, shares) {
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, t("train.curve.shots")),
    el("th", { scope: "col" }, t("train.curve.right")),
    el("th", { scope: "col" }, t("train.curve.between")),
  );
  const rows = shares.map((one, place) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", class: "number" }, curve.shots[place]),
      el("td", { class: "number" }, percent(one.y)),
      el("td", { class: "number" }, one.low === undefined ? "–" : `${percent(one.low)} – ${percent(Number(one.high))}`),
    ),
  );
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, head), el("tbody", {}, rows)));
}
