// SVG made by calls of the DOM: no text becomes markup. Lengths in percent let a drawing grow with its place.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of SVG; a child that is a text is its text.
 * @param {string} tag
 * @param {Record<string, string | number | boolean>} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * A drawing that is told in words beside it, so that screen readers pass it over.
 * @param {string} name its class
 * @param {...Node} children
 */
export function drawing(name, ...children) {
  return svg("svg", { class: name, "aria-hidden": true, focusable: false }, ...children);
}

/** A share from 0 to 1 as a length. @param {number} share */
export function percent(share) {
  return `${(Math.min(Math.max(share, 0), 1) * 100).toFixed(3)}%`;
}
