/** The camera, asked a few times a second: one frame after the other, never two at once. */
import { button, el, fill, set } from "../app/dom.js";
import { announceProgress, toast } from "../app/live.js";
import { percent, t } from "../app/words.js";
import { cameras, Lens, LensError } from "../pictures/lens.js";

const PAUSE = 250;
/** Who leaves it on is not filmed for hours. */
const LONGEST = 10 * 60 * 1000;

/** @param {import("./asking.js").Asking} asking */
export function filmPart(asking) {
  const video = el("video", { playsinline: true, muted: true, "aria-label": t("ask.film.picture") });
  const choice = el("select", { "aria-label": t("ask.film.camera"), onchange: () => void start(choice.value) });
  const keep = button(t("ask.film.keep"), () => void hold(), { class: "primary" });
  const halt = button(t("ask.film.stop"), () => stop());
  const element = el(
    "div",
    { class: "stack", hidden: true },
    el("div", { class: "preview" }, video),
    el("div", { class: "row" }, keep, halt, choice),
  );
  const opener = button(t("ask.film.start"), () => void start());
  /** @type {Lens | null} */
  let lens = null;
  let aborting = new AbortController();
  let turn = 0;

  /** @param {string} [device] */
  const start = async (device) => {
    const mine = ++turn;
    end();
    set(opener, { disabled: true });
    const opened = await Lens.open(video, device).catch((error) => {
      toast(t(`ask.film.${error instanceof LensError ? error.reason : "none"}`), { tone: "bad" });
      return null;
    });
    set(opener, { disabled: false });
    if (mine !== turn)
      opened?.stop(); // another was opened meanwhile, or the view was left
    else if (opened) await follow(opened);
    else asking.tell("pictures");
  };
  const follow = async (/** @type {Lens} */ opened) => {
    lens = opened;
    aborting = new AbortController();
    const { signal } = aborting;
    show(true);
    set(video, { class: opened.isFacingUser ? "mirrored" : "" });
    keep.focus();
    document.addEventListener("visibilitychange", () => document.hidden && stop(), { signal });
    const timer = window.setTimeout(() => stop(), LONGEST);
    signal.addEventListener("abort", () => window.clearTimeout(timer));
    await listCameras(choice, opened.device);
    await askFrames(asking, opened, signal);
  };
  const hold = async () => {
    const frame = await lens?.frame(1024, t("ask.film.name"));
    stop();
    if (frame) asking.add([{ blob: frame, name: frame.name }]);
  };
  const show = (/** @type {boolean} */ isOn) => {
    element.hidden = !isOn;
    opener.hidden = isOn;
    asking.tell("pictures");
    asking.tell("answers");
  };
  const end = () => {
    aborting.abort();
    lens?.stop();
    lens = null;
    asking.film = null;
  };
  const stop = () => {
    turn++;
    if (!lens) return;
    const hadFocus = element.contains(document.activeElement);
    end();
    show(false);
    if (hadFocus) opener.focus();
  };
  return { element, opener, stop, isOn: () => lens !== null };
}

/** One frame after the other until it is stopped. @param {import("./asking.js").Asking} asking @param {Lens} lens @param {AbortSignal} signal */
async function askFrames(asking, lens, signal) {
  let last = "";
  while (!signal.aborted) {
    let pause = PAUSE;
    try {
      const frame = await lens.frame(2 * asking.project.state.backbone.input_size, "camera.jpg");
      const answers = frame && (await asking.ask(frame, "camera.jpg", signal));
      if (signal.aborted) return;
      if (answers) {
        asking.film = { answers, error: "" };
        last = told(answers[0], last);
      }
    } catch (error) {
      if (signal.aborted) return;
      asking.film = { answers: [], error: error instanceof Error ? error.message : String(error) };
      pause = 2000;
    }
    asking.tell("answers");
    await new Promise((resolve) => window.setTimeout(resolve, pause));
  }
}

/** Tells what is likeliest where it is another than before. @param {import("./asking.js").Answer} answer @param {string} last */
function told(answer, last) {
  if (answer.error) return last;
  const best = answer.class_name ?? t("ask.none.answer");
  if (best !== last)
    announceProgress(t("ask.announce", { class: best, percent: percent(answer.top[0]?.probability ?? 0) }));
  return best;
}

/** @param {HTMLSelectElement} choice @param {string} now */
async function listCameras(choice, now) {
  const all = await cameras();
  fill(
    choice,
    all.map(({ id, name }) => el("option", { value: id, selected: id === now }, name)),
  );
  choice.hidden = all.length < 2;
}
