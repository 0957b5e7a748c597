/** "None of these": how strict, shown on the curve of how many of the own photos would still be accepted. */
import { el, fill, set } from "../app/dom.js";
import { percent, t } from "../app/words.js";
import { mark, plot } from "../charts/plot.js";

const USUAL = 95;
const WAIT = 250;

/** @param {import("./asking.js").Asking} asking */
export function nonePart(asking) {
  const box = el("input", { type: "checkbox", id: "none", onchange: () => choose(box.checked ? usual() : null) });
  const range = el("input", { type: "range", id: "strict", min: 0, max: 1, step: "any" });
  const told = el("p", { class: "number", id: "strict-told" });
  const why = el("p", { class: "soft" });
  const drawn = el("div", { class: "figure" });
  const strict = el(
    "div",
    { class: "stack tight" },
    el("figure", {}, drawn, el("figcaption", { class: "small-print" }, t("ask.none.caption"))),
    el("div", { class: "field strict" }, el("label", { for: "strict" }, t("ask.none.strict")), range),
    told,
  );
  const switched = el("label", { class: "row tight" }, box, t("ask.none.label"));
  const element = el(
    "section",
    { class: "card stack", "aria-labelledby": "none-title" },
    el("h2", { id: "none-title" }, t("ask.none.title")),
    el("p", { class: "soft" }, t("ask.none.lead")),
    why,
    switched,
    strict,
  );
  /** @type {{x: number, y: number, share: number}[]} */
  let places = [];
  let chosen = -1;
  let timer = 0;

  const usual = () =>
    places.reduce(
      (best, one) => (Math.abs(one.share - USUAL) < Math.abs(best - USUAL) ? one.share : best),
      places[0]?.share ?? USUAL,
    );
  const choose = (/** @type {number | null} */ share) => {
    asking.share = share;
    asking.changed();
  };
  const pick = (/** @type {number} */ place) => {
    chosen = Math.min(Math.max(place, 0), places.length - 1);
    showChosen();
    window.clearTimeout(timer);
    timer = window.setTimeout(() => choose(places[chosen].share), WAIT);
  };
  const showChosen = () => {
    const one = places[chosen];
    if (!one) return;
    const words = t("ask.none.told", { percent: percent(one.y, 1) });
    set(range, { value: String(one.x), "aria-valuetext": words });
    told.textContent = words;
    const svg = drawn.querySelector("svg");
    if (svg) mark(svg, chosen);
  };
  range.addEventListener("input", () => pick(nearest(places, Number(range.value))));
  range.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const steps = /** @type {Record<string, number>} */ ({
      ArrowLeft: -1,
      ArrowDown: -1,
      PageDown: -2,
      ArrowRight: 1,
      ArrowUp: 1,
      PageUp: 2,
      Home: -places.length,
      End: places.length,
    });
    if (!(event.key in steps)) return;
    event.preventDefault();
    pick(chosen + steps[event.key]);
  });
  const look = (/** @type {string} */ topic) => {
    if (topic !== "settings") return;
    const points = placesOf(asking.points);
    if (JSON.stringify(points) !== JSON.stringify(places)) {
      places = points;
      fill(drawn, plot(places.map(upperHalf), { ticks: [0.5, 0.75, 1].map((y) => [2 * y - 1, percent(y)]) }));
    }
    const can = places.length > 0;
    const pauses = can && asking.names.length > 0;
    why.hidden = can && !pauses;
    why.textContent = can ? t("ask.none.paused") : t("ask.none.cannot");
    switched.hidden = !can;
    set(box, { disabled: pauses, checked: asking.share !== null });
    strict.hidden = !can || pauses || asking.share === null;
    chosen = places.findIndex((one) => one.share === asking.share);
    showChosen();
  };
  return { element, look, end: () => window.clearTimeout(timer) };
}

/** To the right the stricter; upwards the share of own photos, from a half. @param {import("./asking.js").Point[]} points */
function placesOf(points) {
  const thresholds = points.map((one) => one.threshold);
  const [low, high] = [Math.min(...thresholds), Math.max(...thresholds)];
  const made = points.map(({ share_own: told, threshold }) => {
    const share = told <= 1 ? 100 * told : told;
    return { share, own: share / 100, x: high > low ? (threshold - low) / (high - low) : 0 };
  });
  return made.sort((a, b) => b.share - a.share).map(({ share, own, x }) => ({ share, x, y: own }));
}

/** The curve begins where half of them pass: less is never asked for. @param {{x: number, y: number}} place */
function upperHalf({ x, y }) {
  return { x, y: 2 * y - 1 };
}

/** @param {{x: number}[]} places @param {number} x */
function nearest(places, x) {
  return places.reduce((best, one, place) => (Math.abs(one.x - x) < Math.abs(places[best].x - x) ? place : best), 0);
}
