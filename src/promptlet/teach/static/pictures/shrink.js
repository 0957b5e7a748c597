/** Images made as small as the backbone can use: upright, and not decoded where that would change nothing. */
import { dimensions } from "./dimensions.js";

/** The backbone reads an image whose short side is input_size; twice that keeps what a later, finer one could see. */
const TIMES = 2;
/** Pixels decoded at a time, all images together: 4 bytes each, so about half a gigabyte at the very most. */
const MOST_PIXELS = 130_000_000;
/** A format that can hold what is transparent stays one that can. */
const WRITTEN = { jpeg: "image/jpeg", png: "image/png", gif: "image/png", webp: "image/webp", bmp: "image/jpeg" };

let held = 0;
/** @type {(() => void)[]} */
const waiting = [];

/**
 * A file as it goes to the server. What the browser cannot read (HEIC, TIFF, a broken file) and what is small goes as it is.
 * @param {File} file
 * @param {number} inputSize the side of the square that the backbone reads
 * @returns {Promise<Blob>}
 */
export async function shrunk(file, inputSize) {
  const found = await dimensions(file);
  const short = inputSize * TIMES;
  if (!found || Math.min(found.width, found.height) <= short) return file;
  const pixels = found.width * found.height;
  if (pixels > MOST_PIXELS) return file;
  await take(pixels);
  try {
    const small = await redrawn(file, short, WRITTEN[found.type]);
    return small && small.size < file.size ? small : file;
  } catch {
    return file;
  } finally {
    give(pixels);
  }
}

/** @param {Blob} file @param {number} short @param {string} type */
async function redrawn(file, short, type) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const scale = Math.min(1, short / Math.min(bitmap.width, bitmap.height));
    return await drawn(bitmap, Math.round(bitmap.width * scale), Math.round(bitmap.height * scale), type);
  } finally {
    bitmap.close();
  }
}

/**
 * A picture drawn at a size.
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 * @param {string} [type]
 * @returns {Promise<Blob | null>}
 */
export async function drawn(source, width, height, type = "image/jpeg") {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.92));
  canvas.width = 0; // gives its memory back at once
  return blob;
}

/** Waits until so many pixels may be decoded. @param {number} pixels */
async function take(pixels) {
  while (held > 0 && held + pixels > MOST_PIXELS) await new Promise((resolve) => waiting.push(() => resolve(null)));
  held += pixels;
}

/** @param {number} pixels */
function give(pixels) {
  held -= pixels;
  for (const go of waiting.splice(0)) go();
}
