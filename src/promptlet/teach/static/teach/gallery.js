/** The images of the class that is shown: the grid, and what can be done with those that are selected. */
import { thumbnailAddress } from "../app/api.js";
import { button, el, fill, set } from "../app/dom.js";
import { announce } from "../app/live.js";
import { openMenu } from "../app/menu.js";
import { t } from "../app/words.js";
import { moveImages, nameOf, removeImages } from "./acts.js";
import { newClass, shelves } from "./classes.js";
import { startDrag } from "./drag.js";
import { Grid } from "./grid.js";
import { onGridClick, onGridKey } from "./keys.js";
import { lookAt } from "./looking.js";
import { Selection } from "./selection.js";

/** From so few images on a class is sure enough to be worth a try. */
const ENOUGH = 5;

export class Gallery {
  /** @param {import("../app/state.js").Project} project @param {() => HTMLElement} emptyPart what stands where a class has no image */
  constructor(project, emptyPart) {
    this.project = project;
    this.emptyPart = emptyPart;
    /** @type {string | null} */
    this.shown = null;
    this.selection = new Selection();
    this.grid = new Grid(this.selection, {
      address: (image) => thumbnailAddress(project.id, image),
      alt: (image) => t("teach.image", { class: nameOf(this.shown), name: project.state.names[image] ?? image }),
      label: "",
    });
    this.title = el("h2", { id: "gallery-title", tabindex: "-1" });
    this.count = el("span", { class: "soft number" });
    this.extra = el("div", { class: "row tight" });
    this.bar = el("div", { class: "gallery-bar" });
    this.empty = el("div", {});
    this.element = el("section", { class: "gallery", "aria-labelledby": "gallery-title", "data-drop": "" },
      el("div", { class: "spread" }, el("div", { class: "row tight" }, this.title, this.count), this.extra),
      this.bar, this.grid.element, this.empty);
    this.bindGrid();
    this.selection.onChange(() => this.drawBar());
  }

  bindGrid() {
    const { grid, selection } = this;
    const acts = {
      selection, grid,
      moveTo: (/** @type {number} */ place) => this.moveTo(place),
      remove: () => void this.remove(),
      look: () => void lookAt(this.project, selection.images[selection.active]),
      menu: (/** @type {{x: number, y: number} | undefined} */ place) => this.menu(this.activeCell(), place),
    };
    grid.element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => onGridKey(event, acts));
    grid.element.addEventListener("click", (/** @type {MouseEvent} */ event) => onGridClick(event, acts));
    grid.element.addEventListener("dblclick", () => acts.look());
    grid.element.addEventListener("contextmenu", (/** @type {MouseEvent} */ event) => {
      const place = grid.placeOf(event);
      if (place < 0) return;
      event.preventDefault();
      if (!selection.chosen.has(selection.images[place])) selection.only(place);
      this.menu(this.activeCell(), { x: event.clientX, y: event.clientY });
    });
    grid.element.addEventListener("dragstart", (/** @type {DragEvent} */ event) => {
      const place = grid.placeOf(event);
      if (place < 0) return;
      if (!selection.chosen.has(selection.images[place])) selection.only(place);
      startDrag(event, selection.acted);
    });
  }

  activeCell() {
    return /** @type {HTMLElement} */ (this.grid.element.querySelector('[tabindex="0"]') ?? this.title);
  }

  /** @param {string | null} shown @param {string[]} images */
  draw(shown, images) {
    const isOther = shown !== this.shown;
    this.shown = shown;
    fill(this.title, nameOf(shown));
    fill(this.count, t("teach.photos", { count: images.length }));
    this.grid.setLabel(t("teach.grid", { class: nameOf(shown) }));
    if (isOther) this.selection.clear();
    if (isOther) this.selection.goTo(0);
    this.selection.setImages(images);
    if (isOther) this.grid.redraw();
    this.grid.element.hidden = images.length === 0;
    if (images.length) fill(this.empty, shown !== null && images.length < ENOUGH && el("p", { class: "soft few" }, t("teach.few")));
    else if (isOther || !this.empty.querySelector(".drop")) fill(this.empty, this.emptyPart());
  }

  drawBar() {
    const { chosen, images } = this.selection;
    const isBusy = chosen.size > 0;
    set(this.bar, { hidden: images.length === 0 });
    if (this.bar.dataset.count === `${chosen.size}/${images.length}`) return;
    this.bar.dataset.count = `${chosen.size}/${images.length}`;
    const focused = this.bar.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.act : null;
    fill(this.bar, isBusy && el("span", { class: "number" }, t("teach.selected", { count: chosen.size })),
      !isBusy && el("span", { class: "soft small-print hint-keys" }, t("teach.keys")),
      el("span", { class: "grow" }),
      isBusy && this.moveButton(),
      isBusy && button(t("teach.remove"), () => void this.remove(), { class: "small danger", "data-act": "remove" }),
      chosen.size < images.length && button(t("teach.select-all"), () => this.selection.all(), { class: "small quiet", "data-act": "all" }),
      isBusy && button(t("teach.select-none"), () => this.selection.clear(), { class: "small quiet", "data-act": "none" }));
    if (chosen.size > 1) announce(t("teach.selected", { count: chosen.size }));
    if (focused) /** @type {HTMLElement | null} */ (this.bar.querySelector(`[data-act="${focused}"]`) ?? this.bar.querySelector("button"))?.focus();
  }

  moveButton() {
    const open = (/** @type {Event} */ event) => this.menu(/** @type {HTMLElement} */ (event.currentTarget));
    return el("button", { type: "button", class: "small primary", "data-act": "move", "aria-haspopup": "menu", "aria-expanded": false, onclick: open }, `${t("teach.move")} ▾`);
  }

  /** The classes that images can be moved to, and what else. @param {HTMLElement} anchor @param {{x: number, y: number}} [place] */
  menu(anchor, place) {
    const images = this.selection.acted;
    const others = shelves(this.project).filter((shelf) => shelf.className !== this.shown && shelf.className !== null);
    const goals = others.map((shelf) => ({
      words: t("teach.move-to", { class: nameOf(shelf.className) }), hint: shelf.place < 9 ? String(shelf.place + 1) : "",
      run: () => void this.move(images, shelf.className),
    }));
    openMenu(anchor, t("teach.move-menu", { count: images.length }), [
      ...goals,
      { words: t("teach.move-new"), run: () => void this.moveToNew(images) },
      { words: t("teach.move-none"), run: () => void this.move(images, null), disabled: this.shown === null },
      "line",
      { words: t("teach.look"), run: () => void lookAt(this.project, images[0]), hint: "⏎", disabled: images.length !== 1 },
      { words: t("teach.remove"), run: () => void this.remove(), hint: t("teach.delete-key"), danger: true },
    ], place);
  }

  /** @param {number} place of a class, from 0 */
  moveTo(place) {
    const goal = this.project.state.classes[place];
    if (goal) void this.move(this.selection.acted, goal.name);
  }

  /** @param {string[]} images */
  async moveToNew(images) {
    const name = await newClass(this.project);
    if (name !== null) await this.move(images, name);
  }

  /** @param {string[]} images @param {string | null} to */
  async move(images, to) {
    if (await moveImages(this.project, images, to)) this.selection.clear();
  }

  async remove() {
    if (await removeImages(this.project, this.selection.acted)) this.selection.clear();
  }

  end() {
    this.grid.end();
  }
}
