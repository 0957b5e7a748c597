import { fill, heading } from "../app/dom.js";

/** @type {import("../app/main.js").Show} */
export function show(main) {
  fill(main, heading("teach"));
  return () => {};
}
