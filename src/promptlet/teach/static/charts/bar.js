// One bar of a list: a share of the whole, with the interval that holds it where there is one.

import { drawing, percent, svg } from "./svg.js";

/**
 * @param {number} share from 0 to 1
 * @param {string} [kind] a class of its own
 */
export function bar(share, kind = "") {
  const value = svg("rect", { class: "value", width: percent(share), height: "100%", rx: 4 });
  return drawing(`bar ${kind}`.trim(), track(), value);
}

/** The same bar with another length, so that a live one moves. @param {SVGElement} made @param {number} share */
export function setBar(made, share) {
  made.querySelector(".value")?.setAttribute("width", percent(share));
}

/**
 * The interval as a pale band, the value as a mark in it. All from 0 to 1.
 * @param {number} share @param {number} low @param {number} high
 */
export function interval(share, low, high) {
  return drawing(
    "bar interval",
    track(),
    svg("rect", { class: "band", x: percent(low), width: percent(high - low), height: "100%", rx: 4 }),
    svg("line", { class: "mark", x1: percent(share), x2: percent(share), y1: "0", y2: "100%" }),
  );
}

function track() {
  return svg("rect", { class: "track", width: "100%", height: "100%", rx: 4 });
}
