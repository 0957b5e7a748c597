/** A grid of thumbnails that draws only the rows one can see, so that five thousand scroll like fifty. */
import { el, set } from "../app/dom.js";

/**
 * @typedef {{address: (image: string) => string, alt: (image: string) => string, label: string}} Looks
 * @typedef {{row: HTMLElement, key: string}} Drawn
 */

const GAP = 8;
const LEAST = 104;
/** Rows drawn above and below what is seen. */
const MORE = 3;
/** Pixels between two frames from which pictures wait until the scrolling is slower. */
const FAST = 1200;
const RESTS = 120;

export class Grid {
  /** @param {import("./selection.js").Selection} selection @param {Looks} looks */
  constructor(selection, looks) {
    this.selection = selection;
    this.looks = looks;
    this.element = el("div", { role: "grid", class: "gallery-grid", "aria-multiselectable": true, "aria-label": looks.label });
    /** @type {Map<number, Drawn>} */
    this.rows = new Map();
    this.columns = 1;
    this.side = LEAST;
    this.lastY = 0;
    this.isFast = false;
    this.frame = 0;
    this.restTimer = 0;
    this.isFocusWanted = false;
    this.onScroll = () => this.drawSoon();
    window.addEventListener("scroll", this.onScroll, { passive: true });
    window.addEventListener("resize", this.onScroll);
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.element);
    selection.onChange(() => this.drawSoon());
  }

  end() {
    window.removeEventListener("scroll", this.onScroll);
    window.removeEventListener("resize", this.onScroll);
    window.clearTimeout(this.restTimer);
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
  }

  /** @param {string} label */
  setLabel(label) {
    set(this.element, { "aria-label": label });
  }

  measure() {
    const width = this.element.clientWidth;
    if (!width) return;
    const least = width < 420 ? 84 : LEAST;
    this.columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    this.side = (width - GAP * (this.columns - 1)) / this.columns;
    this.redraw();
  }

  /** Draws all rows anew: their size or their words have changed. */
  redraw() {
    this.isFocusWanted ||= this.element.contains(document.activeElement);
    for (const [index] of this.rows) this.remove(index);
    this.draw();
  }

  /** @returns {number} */
  get rowCount() {
    return Math.ceil(this.selection.images.length / this.columns);
  }

  get step() {
    return this.side + GAP;
  }

  drawSoon() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const top = this.element.getBoundingClientRect().top;
    this.judgeSpeed(top);
    set(this.element, { "aria-rowcount": this.rowCount, "aria-colcount": this.columns });
    this.element.style.height = `${Math.max(0, this.rowCount * this.step - GAP)}px`;
    const wanted = this.wanted(top);
    const isFocused = this.element.contains(document.activeElement);
    for (const [index] of this.rows) if (!wanted.has(index)) this.remove(index);
    for (const index of [...wanted].sort((one, other) => one - other)) this.drawRow(index);
    if (isFocused || this.isFocusWanted) this.giveFocus();
  }

  /** @param {number} top */
  judgeSpeed(top) {
    this.isFast = Math.abs(top - this.lastY) > FAST && this.rows.size > 0;
    this.lastY = top;
    window.clearTimeout(this.restTimer);
    if (this.isFast) this.restTimer = window.setTimeout(() => this.draw(), RESTS);
  }

  /** Rows that are seen, some around them, and that of the active image, which may hold the focus. @param {number} top */
  wanted(top) {
    const first = Math.max(0, Math.floor(-top / this.step) - MORE);
    const last = Math.min(this.rowCount - 1, Math.ceil((window.innerHeight - top) / this.step) + MORE);
    /** @type {Set<number>} */
    const wanted = new Set();
    for (let index = first; index <= last; index++) wanted.add(index);
    if (this.rowCount) wanted.add(Math.floor(this.selection.active / this.columns));
    return wanted;
  }

  /** @param {number} index */
  remove(index) {
    const { row } = /** @type {Drawn} */ (this.rows.get(index));
    for (const picture of row.querySelectorAll("img")) picture.removeAttribute("src"); // ends its loading
    row.remove();
    this.rows.delete(index);
  }

  /** @param {number} index */
  drawRow(index) {
    const images = this.selection.images.slice(index * this.columns, (index + 1) * this.columns);
    const key = images.join(" ");
    if (this.rows.get(index)?.key !== key) {
      if (this.rows.has(index)) this.remove(index);
      const row = this.row(index, images);
      this.rows.set(index, { row, key });
      this.place(index, row);
    }
    const { row } = /** @type {Drawn} */ (this.rows.get(index));
    images.forEach((image, column) => this.drawCell(/** @type {HTMLElement} */ (row.children[column]), image, index * this.columns + column));
  }

  /** In the order of the rows, as screen readers read them. @param {number} index @param {HTMLElement} row */
  place(index, row) {
    const next = [...this.rows.keys()].filter((one) => one > index).sort((one, other) => one - other)[0];
    this.element.insertBefore(row, next === undefined ? null : /** @type {Drawn} */ (this.rows.get(next)).row);
  }

  /** @param {number} index @param {string[]} images */
  row(index, images) {
    const row = el("div", { role: "row", "aria-rowindex": index + 1, class: "gallery-row" }, images.map((image, column) => this.cell(image, column)));
    row.style.top = `${index * this.step}px`;
    return row;
  }

  /** @param {string} image @param {number} column */
  cell(image, column) {
    const cell = el("div", { role: "gridcell", "aria-colindex": column + 1, "data-image": image, draggable: true, class: "gallery-cell" },
      el("img", { alt: this.looks.alt(image), draggable: false, decoding: "async", onerror: failed }), el("span", { class: "gallery-mark", "aria-hidden": true }));
    cell.style.width = cell.style.height = `${this.side}px`;
    return cell;
  }

  /** @param {HTMLElement} cell @param {string} image @param {number} place */
  drawCell(cell, image, place) {
    set(cell, { "aria-selected": this.selection.chosen.has(image), tabindex: place === this.selection.active ? "0" : "-1" });
    const picture = /** @type {HTMLImageElement} */ (cell.firstElementChild);
    if (!this.isFast && !picture.hasAttribute("src")) picture.src = this.looks.address(image);
  }

  /** The place of the image that an event is about. @param {Event} event @returns {number} -1 where it is about none */
  placeOf(event) {
    const cell = /** @type {Element} */ (event.target).closest("[data-image]");
    return cell ? this.selection.images.indexOf(/** @type {HTMLElement} */ (cell).dataset.image ?? "") : -1;
  }

  /** Goes to the active image with the focus, and scrolls to it. */
  focus() {
    this.isFocusWanted = true;
    this.scrollToActive();
    this.drawSoon();
  }

  giveFocus() {
    this.isFocusWanted = false;
    if (document.querySelector("dialog[open], .menu:popover-open")) return; // opened since the focus was wanted
    const image = this.selection.images[this.selection.active];
    const cell = image && this.element.querySelector(`[data-image="${CSS.escape(image)}"]`);
    if (cell instanceof HTMLElement && cell !== document.activeElement) cell.focus({ preventScroll: true });
  }

  scrollToActive() {
    const y = this.element.getBoundingClientRect().top + Math.floor(this.selection.active / this.columns) * this.step;
    const [over, under] = [140, window.innerHeight - 24];
    if (y < over) window.scrollBy(0, y - over);
    else if (y + this.side > under) window.scrollBy(0, y + this.side - under);
  }

  /** Rows that one can see at a time. */
  get page() {
    return Math.max(1, Math.floor((window.innerHeight - 200) / this.step));
  }
}

/** A picture that cannot be had is told by its alt text alone. @param {Event} event */
function failed(event) {
  const picture = /** @type {HTMLImageElement} */ (event.target);
  if (picture.hasAttribute("src")) picture.closest(".gallery-cell")?.classList.add("failed");
}
