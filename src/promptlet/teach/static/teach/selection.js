/** Which images of a list are selected, and which one the keyboard is at. Plain data: the grid draws it. */

export class Selection {
  constructor() {
    /** @type {string[]} */
    this.images = [];
    /** @type {Set<string>} */
    this.chosen = new Set();
    /** The image that has the focus when the grid has it. */
    this.active = 0;
    /** Where a range began. */
    this.anchor = 0;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** @param {() => void} listener */
  onChange(listener) {
    this.listeners.add(listener);
  }

  tell() {
    for (const listener of this.listeners) listener();
  }

  /** Another list, or the list after a change: what is gone is no longer selected. @param {string[]} images */
  setImages(images) {
    const at = this.images[this.active];
    const there = new Set(images);
    this.images = images;
    this.chosen = new Set([...this.chosen].filter((image) => there.has(image)));
    const place = at !== undefined && there.has(at) ? images.indexOf(at) : this.active;
    this.active = Math.max(0, Math.min(place, images.length - 1));
    this.anchor = Math.min(this.anchor, Math.max(0, images.length - 1));
    this.tell();
  }

  /** What an act is about: the selected images, or the one that has the focus. @returns {string[]} in the order of the list */
  get acted() {
    if (this.chosen.size) return this.images.filter((image) => this.chosen.has(image));
    return this.images.slice(this.active, this.active + 1);
  }

  /** @param {number} place */
  only(place) {
    this.chosen = new Set(this.images.slice(place, place + 1));
    this.goTo(place);
  }

  /** @param {number} place */
  toggle(place) {
    const image = this.images[place];
    if (!this.chosen.delete(image)) this.chosen.add(image);
    this.goTo(place);
  }

  /** All from the anchor to a place. @param {number} place @param {boolean} [isAdded] to what is selected already */
  rangeTo(place, isAdded = false) {
    const [first, last] = [Math.min(this.anchor, place), Math.max(this.anchor, place)];
    const range = this.images.slice(first, last + 1);
    this.chosen = new Set(isAdded ? [...this.chosen, ...range] : range);
    this.active = place;
    this.tell();
  }

  all() {
    this.chosen = new Set(this.images);
    this.tell();
  }

  clear() {
    this.chosen = new Set();
    this.anchor = this.active;
    this.tell();
  }

  /** @param {number} place */
  goTo(place) {
    this.active = place;
    this.anchor = place;
    this.tell();
  }
}
