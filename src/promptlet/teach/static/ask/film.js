/** The camera, asked a few times a second: one frame after the other, never two at once. */
import { button, el, fill } from "../app/dom.js";
import { announceProgress, toast } from "../app/live.js";
import { percent, t } from "../app/words.js";

const PAUSE = 250;
/** Who leaves it on is not filmed for hours. */
const LONGEST = 10 * 60 * 1000;

/** @param {import("./asking.js").Asking} asking */
export function filmPart(asking) {
  const video = el("video", { playsinline: true, muted: true, "aria-label": t("ask.film.picture") });
  const cameras = el("select", { "aria-label": t("ask.film.camera"), onchange: () => void start(cameras.value) });
  const keep = button(t("ask.film.keep"), () => void hold(), { class: "primary" });
  const halt = button(t("ask.film.stop"), () => stop());
  const element = el("div", { class: "stack", hidden: true }, el("div", { class: "preview" }, video), el("div", { class: "row" }, keep, halt, cameras));
  const opener = button(t("ask.film.start"), () => void start());
  /** @type {MediaStream | null} */
  let stream = null;
  let aborting = new AbortController();
  let last = "";

  const start = async (/** @type {string | undefined} */ camera) => {
    stop(false);
    try {
      const wanted = camera ? { deviceId: { exact: camera } } : { facingMode: "environment" };
      stream = await openCamera({ ...wanted, width: { ideal: 1280 } });
    } catch (error) {
      toast(t(reasonOf(error)), { tone: "bad" });
      return;
    }
    aborting = new AbortController();
    const { signal } = aborting;
    video.srcObject = stream;
    element.hidden = false;
    opener.hidden = true;
    asking.tell("pictures");
    await video.play().catch(() => {});
    keep.focus();
    document.addEventListener("visibilitychange", () => document.hidden && stop(), { signal });
    const timer = window.setTimeout(() => stop(), LONGEST);
    signal.addEventListener("abort", () => window.clearTimeout(timer));
    await listCameras(cameras, stream);
    void follow(signal);
  };
  const follow = async (/** @type {AbortSignal} */ signal) => {
    while (!signal.aborted) {
      try {
        const frame = await frameOf(video, 2 * asking.project.state.backbone.input_size);
        const answers = frame ? await asking.ask(frame, "camera.jpg", signal) : null;
        if (answers && !signal.aborted) tellFrame(answers);
      } catch (error) {
        if (signal.aborted) return;
        asking.film = { answers: [], error: error instanceof Error ? error.message : String(error) };
        asking.tell("answers");
        await waited(2000);
      }
      await waited(PAUSE);
    }
  };
  const tellFrame = (/** @type {import("./asking.js").Answer[]} */ answers) => {
    asking.film = { answers, error: "" };
    asking.tell("answers");
    const best = answers[0]?.class_name ?? t("ask.none.answer");
    if (best !== last) announceProgress(t("ask.announce", { class: best, percent: percent(answers[0]?.top[0]?.probability ?? 0) }));
    last = best;
  };
  const hold = async () => {
    const frame = await frameOf(video, 1024);
    stop();
    if (frame) asking.add([{ blob: frame, name: t("ask.film.name") }]);
  };
  const stop = (isShown = true) => {
    const hadFocus = element.contains(document.activeElement);
    aborting.abort();
    for (const track of stream?.getTracks() ?? []) track.stop();
    const wasOn = stream !== null;
    stream = null;
    video.srcObject = null;
    asking.film = null;
    if (!isShown || !wasOn) return;
    element.hidden = true;
    opener.hidden = false;
    if (hadFocus) opener.focus();
    asking.tell("pictures");
    asking.tell("answers");
  };
  return { element, opener, stop, isOn: () => stream !== null };
}

/** @param {MediaTrackConstraints} video */
function openCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "NotSupportedError");
  return navigator.mediaDevices.getUserMedia({ video, audio: false });
}

/** @param {unknown} error */
function reasonOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "ask.film.refused";
  return name === "NotReadableError" ? "ask.film.busy" : "ask.film.missing";
}

/** @param {HTMLSelectElement} cameras @param {MediaStream} stream */
async function listCameras(cameras, stream) {
  const all = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
  const now = stream.getVideoTracks()[0]?.getSettings().deviceId;
  fill(cameras, all.map((one, place) => el("option", { value: one.deviceId, selected: one.deviceId === now }, one.label || t("ask.film.number", { number: place + 1 }))));
  cameras.hidden = all.length < 2;
}

/** What the camera shows now, as a JPEG whose short side is so long; null before it shows anything. @param {HTMLVideoElement} video @param {number} short */
function frameOf(video, short) {
  const { videoWidth: width, videoHeight: height } = video;
  if (!width || !height) return Promise.resolve(null);
  const scale = Math.min(1, short / Math.min(width, height));
  const canvas = el("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return /** @type {Promise<Blob | null>} */ (new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92)));
}

/** @param {number} milliseconds */
function waited(milliseconds) {
  return new Promise((resolve) => window.setTimeout(resolve, milliseconds));
}
