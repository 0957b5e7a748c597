/** The list of classes: which one is shown, what is in it, and what can be done with it. */
import { thumbnailAddress } from "../app/api.js";
import { askText, confirmed, openDialog } from "../app/dialogs.js";
import { button, el, fill, set } from "../app/dom.js";
import { openMenu } from "../app/menu.js";
import { number, t } from "../app/words.js";
import { createClass, deleteClass, mergeClasses, nameOf, orderClass, renameClass } from "./acts.js";

/**
 * @typedef {import("../app/state.js").Project} Project
 * @typedef {{className: string | null, images: string[], place: number}} Shelf a class as it is listed; place from 0, -1: unlabelled
 */

/** @param {Project} project @returns {Shelf[]} unlabelled images come last */
export function shelves(project) {
  const { classes, unlabelled } = project.state;
  const all = classes.map(({ name, images }, place) => ({ className: /** @type {string | null} */ (name), images, place }));
  return [...all, { className: null, images: unlabelled, place: -1 }];
}

/** Asks for the name of a new class and makes it. @param {Project} project @returns {Promise<string | null>} */
export async function newClass(project) {
  const names = project.state.classes.map((one) => one.name);
  /** @type {string | null} */
  let made = null;
  await askText(t("teach.class.new"), {
    label: t("teach.class.name"), hint: t("teach.class.hint"), yes: t("teach.class.create"), check: isFree(names),
    act: async (name) => {
      made = await createClass(project, name);
    },
  });
  return made;
}

/** @param {string[]} names */
function isFree(names) {
  return (/** @type {string} */ name) => (names.includes(name) ? t("teach.class.taken", { class: name }) : "");
}

export class ClassList {
  /** @param {Project} project @param {(className: string | null) => void} choose */
  constructor(project, choose) {
    this.project = project;
    this.choose = choose;
    this.list = el("ul", { role: "list", class: "classes" });
    const add = button(t("teach.class.new"), () => void this.add(), { class: "class-new" });
    this.element = el("section", { class: "shelf", "aria-labelledby": "classes-title" },
      el("h2", { id: "classes-title" }, t("teach.classes")), this.list, add);
    /** @type {Map<string | null, HTMLElement>} */
    this.items = new Map();
  }

  /** @param {string | null} shown */
  draw(shown) {
    const all = shelves(this.project);
    const names = new Set(all.map((one) => one.className));
    for (const [name, item] of this.items) if (!names.has(name)) this.forget(name, item);
    all.forEach((shelf, place) => {
      const item = this.items.get(shelf.className) ?? this.made(shelf.className);
      this.drawItem(item, shelf, shelf.className === shown);
      if (this.list.children[place] !== item) this.list.insertBefore(item, this.list.children[place] ?? null);
    });
  }

  /** @param {string | null} name @param {HTMLElement} item */
  forget(name, item) {
    const hadFocus = item.contains(document.activeElement);
    item.remove();
    this.items.delete(name);
    if (hadFocus) /** @type {HTMLElement | null} */ (this.element.querySelector("button"))?.focus();
  }

  /** @param {string | null} className */
  made(className) {
    const item = el("li", { class: "class-item" },
      el("button", { type: "button", class: "class-open", onclick: () => this.choose(className) },
        el("span", { class: "class-cover" }), el("span", { class: "class-name" }), el("span", { class: "class-count number" }, el("span", {}), el("span", { class: "hidden" })), el("span", { class: "class-key" })),
      className !== null && el("button", {
        type: "button", class: "quiet icon small class-more", "aria-haspopup": "menu", "aria-expanded": false,
        "aria-label": t("teach.class.more", { class: className }), onclick: (/** @type {Event} */ event) => this.menu(event, className),
      }, "⋯"));
    if (className === null) item.dataset.unlabelled = "";
    else item.dataset.class = className;
    this.items.set(className, item);
    return item;
  }

  /** @param {HTMLElement} item @param {Shelf} shelf @param {boolean} isShown */
  drawItem(item, { className, images, place }, isShown) {
    const [cover, name, count, key] = /** @type {HTMLElement[]} */ ([...item.children[0].children]);
    set(item.children[0], { "aria-current": isShown ? "true" : null });
    name.textContent = nameOf(className);
    count.children[0].textContent = number(images.length);
    count.children[1].textContent = ` ${t("teach.photos-word", { count: images.length })}`;
    fill(key, place >= 0 && place < 9 && el("kbd", { "aria-hidden": true, title: t("teach.class.key", { key: place + 1 }) }, place + 1));
    const source = images.length ? thumbnailAddress(this.project.id, images[0]) : null;
    if (source === null) fill(cover);
    else if (cover.firstElementChild?.getAttribute("src") !== source) fill(cover, el("img", { src: source, alt: "", decoding: "async" }));
  }

  async add() {
    const name = await newClass(this.project);
    if (name !== null) this.choose(name);
  }

  /** @param {Event} event @param {string} className */
  menu(event, className) {
    const classes = this.project.state.classes.map((one) => one.name);
    const at = classes.indexOf(className);
    openMenu(/** @type {HTMLElement} */ (event.currentTarget), t("teach.class.more", { class: className }), [
      { words: t("teach.class.rename"), run: () => void this.rename(className) },
      { words: t("teach.class.merge"), run: () => void this.merge(className), disabled: classes.length < 2 },
      { words: t("teach.class.up"), run: () => void orderClass(this.project, className, -1), disabled: at === 0 },
      { words: t("teach.class.down"), run: () => void orderClass(this.project, className, 1), disabled: at === classes.length - 1 },
      "line",
      { words: t("teach.class.delete"), run: () => void this.delete(className), danger: true },
    ]);
  }

  /** @param {string} className */
  async rename(className) {
    const others = this.project.state.classes.map((one) => one.name).filter((name) => name !== className);
    await askText(t("teach.class.rename-title", { class: className }), {
      label: t("teach.class.name"), value: className, yes: t("teach.class.rename"), check: isFree(others),
      act: async (to) => to !== className && this.choose(await renameClass(this.project, className, to)),
    });
  }

  /** @param {string} className */
  async merge(className) {
    const others = this.project.state.classes.map((one) => one.name).filter((name) => name !== className);
    const to = await openDialog(t("teach.class.merge-title", { class: className }), (close) => {
      const select = el("select", { id: "merge-with", autofocus: true }, others.map((name) => el("option", { value: name }, name)));
      return [
        el("p", {}, t("teach.class.merge-words", { class: className })),
        el("div", { class: "field" }, el("label", { for: "merge-with" }, t("teach.class.merge-with")), select),
        el("div", { class: "actions" }, button(t("app.cancel"), () => close(null)),
          button(t("teach.class.merge-yes"), () => close(select.value), { class: "primary" })),
      ];
    });
    if (typeof to === "string" && (await mergeClasses(this.project, className, to))) this.choose(to);
  }

  /** @param {string} className */
  async delete(className) {
    const images = this.project.state.classes.find((one) => one.name === className)?.images.length ?? 0;
    const words = t("teach.class.delete-words", { count: images });
    const title = t("teach.class.delete-title", { class: className });
    if (images && !(await confirmed(title, words, { yes: t("teach.class.delete"), danger: true }))) return;
    await deleteClass(this.project, className);
  }
}
