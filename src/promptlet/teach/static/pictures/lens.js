/** A camera: which ones there are, what it sees, one frame of it. It is off when nobody looks. */
import { drawn } from "./shrink.js";

const KEPT = "promptlet.camera";

/** Why there is no picture; `reason` is the end of a key of words (teach.camera.…). */
export class LensError extends Error {
  /** @param {"refused" | "none" | "busy" | "insecure"} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

export class Lens {
  /** @param {MediaStream} stream @param {HTMLVideoElement} video */
  constructor(stream, video) {
    this.stream = stream;
    this.video = video;
  }

  /**
   * Opens a camera and shows it in a video element. Raises LensError.
   * @param {HTMLVideoElement} video
   * @param {string} [device] an id of cameras(); the one used last without it
   * @returns {Promise<Lens>}
   */
  static async open(video, device = recall()) {
    if (!navigator.mediaDevices) throw new LensError("insecure");
    const stream = await asked(device).catch((error) => {
      if (device && error.name === "OverconstrainedError") return asked("");
      throw error;
    }).catch((error) => {
      throw new LensError(reasonOf(error));
    });
    video.srcObject = stream;
    video.muted = true;
    video.playsInline = true;
    await video.play().catch(() => {});
    remember(stream);
    return new Lens(stream, video);
  }

  /** The id of this camera. */
  get device() {
    return this.stream.getVideoTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** Whether it looks at the user, as a laptop's does: its preview is shown as in a mirror. */
  get isFacingUser() {
    return this.stream.getVideoTracks()[0]?.getSettings().facingMode !== "environment";
  }

  /**
   * What it sees now, as the camera sees it: never mirrored.
   * @param {number} short pixels of the short side, at most
   * @param {string} name of the file
   * @returns {Promise<File | null>} null where it sees nothing yet
   */
  async frame(short, name) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return null;
    const scale = Math.min(1, short / Math.min(width, height));
    const blob = await drawn(this.video, Math.round(width * scale), Math.round(height * scale));
    return blob && new File([blob], name, { type: "image/jpeg" });
  }

  /** Its light goes out. */
  stop() {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }
}

/** @returns {Promise<{id: string, name: string}[]>} names are there once a camera was allowed */
export async function cameras() {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const own = all.filter((one) => one.kind === "videoinput");
  return own.map((one, place) => ({ id: one.deviceId, name: one.label || `${place + 1}` }));
}

/** @param {string} device */
function asked(device) {
  const which = device ? { deviceId: { exact: device } } : { facingMode: "environment" };
  return navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 } } });
}

/** @param {DOMException} error @returns {"refused" | "none" | "busy"} */
function reasonOf(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return "refused";
  return error.name === "NotFoundError" || error.name === "OverconstrainedError" ? "none" : "busy";
}

function recall() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

/** @param {MediaStream} stream */
function remember(stream) {
  try {
    localStorage.setItem(KEPT, stream.getVideoTracks()[0]?.getSettings().deviceId ?? "");
  } catch {
    /* it is asked anew next time */
  }
}
