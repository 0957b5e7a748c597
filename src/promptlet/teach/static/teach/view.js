/** Teach: classes at one side, the images of one of them at the other, and all ways to bring images in. */
import { button, el, fill, heading, set } from "../app/dom.js";
import { askText } from "../app/dialogs.js";
import { closeToast } from "../app/live.js";
import { link } from "../app/routes.js";
import { t } from "../app/words.js";
import { takeFound } from "../upload/taking.js";
import { moveImages, WAY_BACK } from "./acts.js";
import { Camera } from "./camera.js";
import { ClassList, shelves } from "./classes.js";
import { watchDrops } from "./drag.js";
import { askFolder } from "./folder.js";
import { Gallery } from "./gallery.js";
import { givingButtons, watchPaste } from "./giving.js";
import { historyPart } from "./history.js";
import { statusPart } from "./status.js";
import { Suggestions } from "./suggestions.js";

/** Which class was shown last, by project: another view may have been looked at meanwhile. @type {Map<string, string | null>} */
const lastShown = new Map();

/** @type {import("../app/main.js").Show} */
export function show(main, project) {
  const desk = new Desk(project);
  fill(main, desk.element);
  desk.draw();
  return () => desk.end();
}

class Desk {
  /** @param {import("../app/state.js").Project} project */
  constructor(project) {
    this.project = project;
    this.goal = { id: project.id, inputSize: project.state.backbone.input_size };
    /** @type {string | null} */
    this.shown = lastShown.has(project.id) ? (lastShown.get(project.id) ?? null) : (project.state.classes[0]?.name ?? null);
    /** Whether a person chose it: else the first class is shown as soon as there is one. */
    this.isChosen = false;
    /** @type {Camera | Suggestions | null} */
    this.aside = null;
    this.asidePlace = el("div", {});
    this.target = () => this.shown;
    this.take = (/** @type {import("../upload/found.js").Found[]} */ found) => void takeFound(this.goal, found, this.shown, (name) => this.ofFolder(name));
    this.classes = new ClassList(project, (className) => this.choose(className));
    this.gallery = new Gallery(project, () => this.emptyPart());
    this.history = historyPart(project);
    this.status = statusPart(project);
    this.train = el("a", { class: "button primary", href: link(project.id, "train") }, t("teach.train"));
    this.next = el("p", { class: "soft small-print" });
    this.classes.element.append(el("div", { class: "stack tight next" }, this.next, this.train));
    this.element = this.layout();
    this.ends = [
      project.on("state", () => this.draw()),
      watchPaste(this.take),
      watchDrops({
        files: (found, target) => void found.then((all) => (target === undefined ? this.take(all) : takeFound(this.goal, all, target))),
        images: (images, target) => void moveImages(project, images, target).then((isMoved) => isMoved && this.gallery.selection.clear()),
      }),
      () => this.aside?.end(),
      () => closeToast(WAY_BACK),
      () => this.gallery.end(),
      () => this.history.end(),
      () => this.status.end(),
    ];
  }

  layout() {
    const rename = button(t("teach.rename"), () => void this.rename(), { class: "quiet small" });
    return el("div", { class: "stack loose teach" },
      el("div", { class: "spread" },
        el("div", { class: "stack tight" }, heading(t("teach.title")), el("p", { class: "lead soft" }, t("teach.lead"))),
        el("div", { class: "stack tight teach-side" }, el("div", { class: "row tight" }, rename, this.history.element), this.status.element)),
      this.status.errors,
      el("div", { class: "desk" }, this.classes.element,
        el("div", { class: "stack" }, this.asidePlace, this.gallery.element)));
  }

  end() {
    for (const end of this.ends) end();
  }

  draw() {
    const all = shelves(this.project);
    const found = all.find((one) => one.className === this.shown) ?? all[0];
    const isPassedOver = found.className === null && found.images.length === 0 && !this.isChosen && !this.aside;
    const shelf = isPassedOver ? all[0] : found;
    this.shown = shelf.className;
    lastShown.set(this.project.id, this.shown);
    this.classes.draw(this.shown);
    this.gallery.draw(this.shown, shelf.images);
    this.history.draw();
    this.drawExtra(shelf);
    this.drawNext();
  }

  /** @param {import("./classes.js").Shelf} shelf */
  drawExtra(shelf) {
    const isDoubtful = this.project.state.trained && shelf.className === null && shelf.images.length > 0 && !(this.aside instanceof Suggestions);
    const key = `${shelf.images.length > 0}/${isDoubtful}`;
    if (this.gallery.extra.dataset.key === key) return;
    this.gallery.extra.dataset.key = key;
    fill(this.gallery.extra,
      isDoubtful && button(t("teach.suggest.open"), () => this.suggest(), { class: "primary" }),
      shelf.images.length > 0 && givingButtons(this.take, () => this.openCamera()));
  }

  drawNext() {
    const filled = this.project.state.classes.filter((one) => one.images.length > 0);
    const isReady = filled.length > 1;
    set(this.train, { hidden: !isReady });
    this.next.textContent = t(isReady ? "teach.ready" : "teach.not-ready");
  }

  emptyPart() {
    const isNew = this.project.state.classes.length === 0;
    const words = this.shown === null ? t("teach.drop.all") : t("teach.drop.class", { class: this.shown });
    return el("div", { class: "drop" },
      el("p", { class: "lead" }, words),
      el("p", { class: "soft" }, t(isNew ? "teach.drop.new" : "teach.drop.more")),
      givingButtons(this.take, () => this.openCamera(), true));
  }

  /**
   * The class of a folder that came by itself: its own where there are no classes yet, the empty one that is shown, else
   * the one that the user says.
   * @param {string} name @returns {Promise<string | null | undefined>}
   */
  async ofFolder(name) {
    const { classes } = this.project.state;
    const isEmpty = classes.find((one) => one.name === this.shown)?.images.length === 0;
    if (classes.length === 0) return name;
    if (isEmpty || name === this.shown) return this.shown;
    const answer = await askFolder(name, this.shown);
    return answer === "class" ? name : answer === "shown" ? this.shown : undefined;
  }

  /** @param {string | null} className */
  choose(className) {
    this.shown = className;
    this.isChosen = true;
    this.draw();
  }

  async rename() {
    await askText(t("teach.rename"), {
      label: t("projects.name"), value: this.project.state.title, yes: t("teach.rename-yes"), act: (title) => this.project.patch({ title }),
    });
  }

  openCamera() {
    const camera = new Camera(this.goal, this.target, () => this.leaveAside());
    this.putAside(camera);
    void camera.open();
    camera.element.querySelector("h2").focus();
  }

  suggest() {
    const suggestions = new Suggestions(this.project, () => this.leaveAside());
    this.putAside(suggestions);
    void suggestions.open();
  }

  /** @param {Camera | Suggestions} aside */
  putAside(aside) {
    this.aside?.end();
    this.aside = aside;
    fill(this.asidePlace, aside.element);
    this.gallery.element.hidden = aside instanceof Suggestions;
    this.draw();
  }

  leaveAside() {
    this.aside = null;
    this.gallery.element.hidden = false;
    this.draw();
    this.gallery.title.focus();
  }
}
