/** Dragging: images onto a class give them another label, files onto the page or a class are added to it. */
import { el } from "../app/dom.js";
import { t } from "../app/words.js";
import { dropped } from "../upload/found.js";

const IMAGES = "application/x-promptlet-images";

/**
 * The target of files is undefined where they are dropped beside all classes.
 * @typedef {{files: (found: Promise<import("../upload/found.js").Found[]>, target: string | null | undefined) => void,
 *   images: (images: string[], target: string | null) => void}} Drops
 */

/** What is dragged now; the data of a drag cannot be read before it is dropped. @type {string[]} */
let dragged = [];

/** @param {DragEvent} event @param {string[]} images */
export function startDrag(event, images) {
  if (!event.dataTransfer || images.length === 0) return;
  dragged = images;
  event.dataTransfer.setData(IMAGES, images.join(" "));
  event.dataTransfer.effectAllowed = "move";
  const badge = el("div", { class: "drag-badge" }, t("teach.photos", { count: images.length }));
  document.body.append(badge);
  event.dataTransfer.setDragImage(badge, -12, -12);
  window.setTimeout(() => badge.remove());
}

/**
 * Watches the whole window, so that a file dropped beside the mark never opens in the browser.
 * @param {Drops} drops
 * @returns {() => void} ends it
 */
export function watchDrops(drops) {
  const abort = new AbortController();
  const over = (/** @type {DragEvent} */ event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    const place = placeOf(event);
    if (event.dataTransfer) event.dataTransfer.dropEffect = hasFiles(event) ? "copy" : place ? "move" : "none";
    mark(place ?? (hasFiles(event) ? document.querySelector("[data-drop]") : null));
  };
  const drop = (/** @type {DragEvent} */ event) => {
    mark(null);
    if (!isOurs(event) || !event.dataTransfer) return;
    event.preventDefault();
    if (document.querySelector("dialog[open]")) return;
    const place = placeOf(event);
    const target = place ? (place.dataset.class ?? null) : undefined;
    if (hasFiles(event)) drops.files(dropped(event.dataTransfer), target);
    else if (target !== undefined) drops.images(dragged, target);
  };
  const leave = (/** @type {DragEvent} */ event) => {
    if (event.relatedTarget === null) mark(null);
  };
  for (const name of ["dragenter", "dragover"]) window.addEventListener(name, /** @type {any} */ (over), { signal: abort.signal });
  window.addEventListener("drop", drop, { signal: abort.signal });
  window.addEventListener("dragleave", leave, { signal: abort.signal });
  window.addEventListener("dragend", () => mark(null), { signal: abort.signal });
  return () => abort.abort();
}

/** @param {DragEvent} event */
function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** @param {DragEvent} event */
function isOurs(event) {
  return hasFiles(event) || (event.dataTransfer?.types.includes(IMAGES) ?? false);
}

/** The class that something hangs over. @param {DragEvent} event @returns {HTMLElement | null} */
function placeOf(event) {
  return event.target instanceof Element ? event.target.closest("[data-class], [data-unlabelled]") : null;
}

/** @param {Element | null} place */
function mark(place) {
  for (const one of document.querySelectorAll(".over")) if (one !== place) one.classList.remove("over");
  place?.classList.add("over");
}
