/** Unlabelled images, the doubtful ones first: what the trained prompt would say, accepted or changed by one key. */
import { address, imageAddress, request, thumbnailAddress } from "../app/api.js";
import { button, el, fill } from "../app/dom.js";
import { announce, tellFailure } from "../app/live.js";
import { percent, t } from "../app/words.js";
import { moveImages } from "./acts.js";
import { isTyping } from "./history.js";

/** @typedef {{image: string, class: string, probability: number, second: string | null, second_probability: number | null}} Suggestion */

const NEXT = 8;

export class Suggestions {
  /** @param {import("../app/state.js").Project} project @param {() => void} closed */
  constructor(project, closed) {
    this.project = project;
    this.closed = closed;
    /** @type {Suggestion[]} */
    this.all = [];
    this.done = 0;
    /** What got a class, by image: undone, it is asked again. @type {Map<string, Suggestion>} */
    this.given = new Map();
    this.title = el("h2", { id: "suggestions-title", tabindex: "-1" }, t("teach.suggest.title"));
    this.place = el("div", { class: "stack" });
    this.element = el("section", { class: "card stack suggestions", "aria-labelledby": "suggestions-title" },
      el("div", { class: "spread" }, this.title, button(t("teach.suggest.close"), () => this.close(), { class: "small" })),
      el("p", { class: "soft" }, t("teach.suggest.words")), this.place);
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.off = project.on("state", () => this.prune());
  }

  async open() {
    fill(this.place, el("p", { class: "row" }, el("span", { class: "spinner", "aria-hidden": true }), t("teach.suggest.loading")));
    this.title.focus();
    await this.load();
  }

  async load() {
    try {
      const { suggestions } = await request("GET", address(this.project.id, "/suggestions?limit=200"));
      this.all = suggestions;
      this.draw();
    } catch (error) {
      tellFailure(error);
      this.close();
    }
  }

  /** What got a class elsewhere is no longer asked about; what was given back is asked again. */
  prune() {
    const there = new Set(this.project.state.unlabelled);
    const first = this.all[0]?.image;
    const back = [...this.given.values()].filter((one) => there.has(one.image));
    for (const one of back) this.given.delete(one.image);
    this.done -= back.length;
    this.all = [...back, ...this.all.filter((one) => there.has(one.image))];
    if (this.all[0]?.image !== first) this.draw();
  }

  draw() {
    const [now] = this.all;
    if (!now) return this.drawEnd();
    const words = t("teach.suggest.maybe", { class: now.class, percent: percent(now.probability) });
    const second = now.second === null ? "" : t("teach.suggest.second", { class: now.second, percent: percent(now.second_probability ?? 0) });
    const name = this.project.state.names[now.image] ?? now.image;
    fill(this.place,
      el("div", { class: "suggestion" },
        el("img", { class: "suggestion-image", src: imageAddress(this.project.id, now.image), alt: t("teach.image", { class: t("teach.unlabelled"), name }) }),
        el("div", { class: "stack" },
          el("p", { class: "lead" }, el("strong", {}, words)), second && el("p", { class: "soft" }, second),
          el("div", { class: "row" },
            button(t("teach.suggest.accept", { class: now.class }), () => this.accept(), { class: "primary", "data-act": "accept", "aria-keyshortcuts": "Enter" }),
            button(t("teach.suggest.skip"), () => this.skip(), { "data-act": "skip", "aria-keyshortcuts": "S" })),
          this.others(now.class))),
      el("p", { class: "soft number" }, t("teach.suggest.left", { count: this.all.length, done: this.done })),
      el("div", { class: "thumbs", "aria-hidden": true }, this.all.slice(1, 1 + NEXT).map((one) =>
        el("img", { class: "thumb", src: thumbnailAddress(this.project.id, one.image), alt: "" }))));
    announce(`${words} ${second}`);
    /** @type {HTMLElement | null} */ (this.place.querySelector("[data-act=accept]"))?.focus({ preventScroll: true });
  }

  /** @param {string} suggested */
  others(suggested) {
    const classes = this.project.state.classes.map((one, place) => ({ name: one.name, place })).filter((one) => one.name !== suggested);
    return el("div", { class: "row tight", role: "group", "aria-label": t("teach.suggest.others") }, classes.map(({ name, place }) =>
      el("button", { type: "button", class: "small", onclick: () => this.give(name) }, name, place < 9 && el("kbd", { "aria-hidden": true }, place + 1))));
  }

  drawEnd() {
    const words = t("teach.suggest.end", { count: this.done });
    const isMore = this.project.state.unlabelled.length > 0;
    fill(this.place, el("p", {}, words), isMore && el("div", { class: "row" }, button(t("teach.suggest.again"), () => void this.load(), { class: "primary" })));
    announce(words);
    const next = this.place.querySelector("button") ?? this.element.querySelector("button");
    next?.focus({ preventScroll: true });
  }

  accept() {
    if (this.all[0]) this.give(this.all[0].class);
  }

  /** @param {string} className */
  give(className) {
    const now = this.all.shift();
    if (!now) return;
    this.done += 1;
    this.draw();
    void moveImages(this.project, [now.image], className).then((isMoved) => isMoved && this.given.set(now.image, now));
  }

  skip() {
    this.all.shift();
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open], [popover]:popover-open")) return;
    const isOwn = !(event.target instanceof Element) || event.target === document.body || this.element.contains(event.target);
    if (!isOwn) return;
    const number = /^[1-9]$/.test(event.key) ? this.project.state.classes[Number(event.key) - 1] : null;
    const onButton = event.target instanceof Element && event.target.closest("button") !== null;
    if (number) this.give(number.name);
    else if (event.key.toLowerCase() === "s") this.skip();
    else if (event.key === "Enter" && !onButton) this.accept();
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }

  close() {
    this.end();
    this.element.remove();
    this.closed();
  }

  end() {
    document.removeEventListener("keydown", this.onKey);
    this.off();
  }
}
