/** @type {Record<string, import("../../words.js").Words>} */
export const ask = {};
