// A line over an axis of percent, with a band around it and one chosen place. Ticks are at the places of points.

import { drawing, percent, svg } from "./svg.js";

/**
 * @typedef {{x: number, y: number, low?: number, high?: number, label?: string}} Point x, y, low, high from 0 to 1;
 *   label: what stands below it on the axis
 */

/**
 * @param {Point[]} points in the order of x
 * @param {{ticks?: [number, string][], marked?: number}} [options] ticks: of the upright axis. marked: which point
 *   is chosen
 */
export function plot(points, { ticks = [], marked } = {}) {
  return drawing(
    "plot",
    ...ticks.map(([y, label]) => gridLine(y, label)),
    ...band(points),
    ...points.slice(1).map((point, place) => segment(points[place], point)),
    ...points.map((point, place) => dot(point, place === marked)),
    ...points.filter((point) => point.label).map(below),
  );
}

/** Choose another point of a plot that is there. @param {SVGElement} made @param {number} place */
export function mark(made, place) {
  made.querySelectorAll(".dot").forEach((one, own) => one.setAttribute("class", own === place ? "dot marked" : "dot"));
  made.querySelectorAll(".dot").forEach((one, own) => one.setAttribute("r", own === place ? "8" : "4"));
}

/** @param {number} y @param {string} label */
function gridLine(y, label) {
  const height = percent(1 - y);
  return svg(
    "g",
    {},
    svg("line", { class: "rule", x1: "0", x2: "100%", y1: height, y2: height }),
    svg("text", { class: "side", x: "0", y: height, dx: -10, dy: "0.35em", "text-anchor": "end" }, label),
  );
}

/** @param {Point[]} points */
function band(points) {
  const known = points.filter((point) => point.low !== undefined && point.high !== undefined);
  if (known.length < 2) return [];
  const upper = known.map((point) => `${point.x * 100},${(1 - Number(point.high)) * 100}`);
  const lower = known.map((point) => `${point.x * 100},${(1 - Number(point.low)) * 100}`).reverse();
  const shape = svg("polygon", { class: "band", points: [...upper, ...lower].join(" ") });
  const stretched = { viewBox: "0 0 100 100", preserveAspectRatio: "none", width: "100%", height: "100%" };
  return [svg("svg", stretched, shape)];
}

/** @param {Point} from @param {Point} to */
function segment(from, to) {
  const [x1, x2, y1, y2] = [from.x, to.x, 1 - from.y, 1 - to.y].map(percent);
  return svg("line", { class: "line", x1, x2, y1, y2 });
}

/** @param {Point} point @param {boolean} isMarked */
function dot(point, isMarked) {
  const look = isMarked ? { class: "dot marked", r: 8 } : { class: "dot", r: 4 };
  return svg("circle", { ...look, cx: percent(point.x), cy: percent(1 - point.y) });
}

/** @param {Point} point */
function below(point) {
  return svg(
    "text",
    { class: "below", x: percent(point.x), y: "100%", dy: "1.6em", "text-anchor": "middle" },
    point.label ?? "",
  );
}
