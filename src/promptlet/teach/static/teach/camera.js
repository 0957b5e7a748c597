/** Photos from the camera: one by a press, many by holding the button, or after a countdown. */
import { button, el, fill, set } from "../app/dom.js";
import { announce } from "../app/live.js";
import { t } from "../app/words.js";
import { cameras, Lens, LensError } from "../pictures/lens.js";
import { upload } from "../upload/queue.js";
import { random } from "../upload/safe.js";
import { nameOf } from "./acts.js";

/** Milliseconds between two photos of a burst. */
const PACE = 250;
const COUNTDOWN = 3;
const AFTER_COUNTDOWN = 8;

export class Camera {
  /** @param {import("../upload/queue.js").Goal} goal @param {() => string | null} target the class that photos go to @param {() => void} closed */
  constructor(goal, target, closed) {
    this.goal = goal;
    this.target = target;
    this.closed = closed;
    /** @type {Lens | null} */
    this.lens = null;
    this.isOver = false;
    this.timer = 0;
    this.counted = 0;
    this.gesture = "";
    this.video = el("video", { class: "camera-video", "aria-label": t("teach.camera.view"), muted: true });
    this.over = el("span", { class: "camera-count", "aria-hidden": true });
    this.choice = el("select", { id: "camera-choice", onchange: () => void this.open(this.choice.value) });
    this.mirror = el("input", { type: "checkbox", checked: true, onchange: () => this.drawMirror() });
    this.shoot = el("button", { type: "button", class: "primary camera-shoot" }, t("teach.camera.hold"));
    this.later = button(t("teach.camera.later", { count: COUNTDOWN }), () => void this.countDown());
    this.told = el("p", { class: "soft number", role: "status" });
    this.error = el("div", {});
    this.bindShoot();
    this.element = el("section", { class: "card stack camera", "aria-labelledby": "camera-title" },
      el("div", { class: "spread" }, el("h2", { id: "camera-title", tabindex: "-1" }, t("teach.camera.title")),
        button(t("teach.camera.close"), () => this.close(), { class: "small" })),
      this.error,
      el("div", { class: "camera-parts" },
        el("div", { class: "camera-stage" }, this.video, this.over),
        el("div", { class: "stack" }, this.shoot, this.later,
          el("label", { class: "row tight" }, this.mirror, t("teach.camera.mirror")),
          el("div", { class: "field" }, el("label", { for: "camera-choice" }, t("teach.camera.choice")), this.choice),
          el("p", { class: "hint" }, t("teach.camera.hint")), this.told)));
  }

  /** @param {string} [device] */
  async open(device) {
    this.lens?.stop();
    fill(this.error);
    try {
      const lens = await Lens.open(this.video, device);
      if (this.isOver) return lens.stop();
      this.lens = lens;
      this.mirror.checked = lens.isFacingUser;
      this.drawMirror();
      await this.drawChoice();
    } catch (error) {
      const reason = error instanceof LensError ? error.reason : "busy";
      fill(this.error, el("div", { class: "notice bad", role: "alert" }, el("p", {}, t(`teach.camera.${reason}`)),
        button(t("app.again"), () => void this.open(), { class: "small" })));
    }
    const isOff = this.lens === null;
    for (const one of [this.shoot, this.later]) one.disabled = isOff;
  }

  async drawChoice() {
    const all = await cameras();
    const current = this.lens?.device;
    fill(this.choice, all.map(({ id, name }) => el("option", { value: id, selected: id === current }, name)));
    this.choice.parentElement.hidden = all.length < 2;
  }

  drawMirror() {
    this.video.classList.toggle("mirrored", this.mirror.checked);
  }

  /** Holding the button takes photos until it is let go; a press takes one. Space and Enter hold it, too. */
  bindShoot() {
    const begin = (/** @type {PointerEvent} */ event) => {
      if (event.button !== 0) return;
      this.shoot.setPointerCapture(event.pointerId);
      this.begin();
    };
    const isKey = (/** @type {KeyboardEvent} */ event) => event.key === " " || event.key === "Enter";
    set(this.shoot, {
      onpointerdown: begin,
      onpointerup: () => this.finish(),
      onpointercancel: () => this.finish(),
      onblur: () => this.finish(),
      oncontextmenu: (/** @type {Event} */ event) => event.preventDefault(),
      onclick: (/** @type {MouseEvent} */ event) => event.detail === 0 && !this.timer && void this.single(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (!isKey(event)) return;
        event.preventDefault();
        if (!event.repeat) this.begin();
      },
      onkeyup: (/** @type {KeyboardEvent} */ event) => isKey(event) && this.finish(),
    });
  }

  begin() {
    if (this.timer || !this.lens) return;
    this.gesture = random();
    this.counted = 0;
    this.timer = window.setInterval(() => void this.take(), PACE);
    void this.take();
  }

  finish() {
    if (!this.timer) return;
    window.clearInterval(this.timer);
    this.timer = 0;
  }

  /** Pressed by what neither points nor types, such as a voice. */
  async single() {
    this.gesture = random();
    this.counted = 0;
    await this.take();
  }

  async take() {
    const { gesture } = this;
    const file = await this.lens?.frame(this.goal.inputSize * 2, `${t("teach.camera.file")}-${stamp()}.jpg`);
    if (!file || this.isOver) return;
    upload(this.goal, [{ name: file.name, className: this.target(), get: async () => file }], { gesture, isQuiet: true });
    this.counted += 1;
    this.told.textContent = t("teach.camera.taken", { count: this.counted, class: nameOf(this.target()) });
    this.video.animate?.([{ opacity: 0.5 }, { opacity: 1 }], { duration: reduced() ? 0 : 150 });
  }

  async countDown() {
    this.later.disabled = true;
    for (let left = COUNTDOWN; left > 0 && !this.isOver; left--) {
      this.over.textContent = String(left);
      announce(String(left));
      await new Promise((resolve) => window.setTimeout(resolve, 1000));
    }
    this.over.textContent = "";
    this.begin();
    window.setTimeout(() => {
      this.finish();
      this.later.disabled = false;
    }, PACE * (AFTER_COUNTDOWN - 0.5));
  }

  close() {
    this.end();
    this.element.remove();
    this.closed();
  }

  /** The camera goes off; also when the view is left. */
  end() {
    this.isOver = true;
    this.finish();
    this.lens?.stop();
    this.lens = null;
  }
}

function reduced() {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function stamp() {
  return new Date().toISOString().replace(/[-:.TZ]/g, "").slice(0, 17);
}
