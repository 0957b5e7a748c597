/** What the keys do in the grid of images. */

/**
 * @typedef {{selection: import("./selection.js").Selection, grid: import("./grid.js").Grid, moveTo: (place: number) => void,
 *   remove: () => void, look: () => void, menu: (place?: {x: number, y: number}) => void}} Acts moveTo: to the class at a place, from 0
 */

/** @param {KeyboardEvent} event @param {Acts} acts @returns {void} */
export function onGridKey(event, acts) {
  const { selection } = acts;
  if (selection.images.length === 0 || event.altKey) return;
  if (isCommand(event)) {
    if (event.key.toLowerCase() !== "a") return;
    selection.all();
  } else if (!moved(event, acts) && !acted(event, acts)) return;
  event.preventDefault();
  event.stopPropagation();
}

/** @param {KeyboardEvent} event */
function isCommand(event) {
  return (event.ctrlKey || event.metaKey) && event.key.length === 1;
}

/** @param {KeyboardEvent} event @param {Acts} acts @returns {boolean} whether the key goes through the grid */
function moved(event, { selection, grid }) {
  const last = selection.images.length - 1;
  const { active } = selection;
  const row = active - (active % grid.columns);
  const isFar = event.ctrlKey || event.metaKey;
  const places = /** @type {Record<string, number>} */ ({
    ArrowLeft: active - 1, ArrowRight: active + 1, ArrowUp: active - grid.columns, ArrowDown: active + grid.columns,
    PageUp: Math.max(active % grid.columns, active - grid.page * grid.columns), PageDown: Math.min(last, active + grid.page * grid.columns),
    Home: isFar ? 0 : row, End: isFar ? last : Math.min(last, row + grid.columns - 1),
  });
  if (!(event.key in places)) return false;
  const place = places[event.key];
  if (place >= 0 && place <= last) {
    if (event.shiftKey) selection.rangeTo(place);
    else selection.goTo(place);
    grid.focus();
  }
  return true;
}

/** @param {KeyboardEvent} event @param {Acts} acts @returns {boolean} whether the key does something with images */
function acted(event, { selection, moveTo, remove, look, menu }) {
  if (/^[1-9]$/.test(event.key)) moveTo(Number(event.key) - 1);
  else if (event.key === " ") event.shiftKey ? selection.rangeTo(selection.active, true) : selection.toggle(selection.active);
  else if (event.key === "Delete" || event.key === "Backspace") remove();
  else if (event.key === "Enter") look();
  else if (event.key === "m" || event.key === "ContextMenu") menu();
  else if (event.key === "Escape" && selection.chosen.size) selection.clear();
  else return false;
  return true;
}

/** @param {MouseEvent} event @param {Pick<Acts, "selection" | "grid">} acts */
export function onGridClick(event, { selection, grid }) {
  const place = grid.placeOf(event);
  if (place < 0) return;
  const isMark = /** @type {Element} */ (event.target).classList.contains("gallery-mark");
  const isTouch = /** @type {PointerEvent} */ (event).pointerType === "touch";
  if (event.shiftKey) selection.rangeTo(place, event.ctrlKey || event.metaKey);
  else if (isMark || isTouch || event.ctrlKey || event.metaKey) selection.toggle(place);
  else selection.only(place);
  grid.focus();
}
