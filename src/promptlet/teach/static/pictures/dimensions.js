/** Width and height of an image from its first bytes, without decoding it: a 100-megapixel photo costs nothing to ask. */

/** @typedef {{width: number, height: number, type: "jpeg" | "png" | "gif" | "webp" | "bmp"}} Dimensions */

const READ = 512 * 1024;

/** @param {Blob} file @returns {Promise<Dimensions | null>} null for formats that are not known here, and broken files */
export async function dimensions(file) {
  const bytes = new DataView(await file.slice(0, READ).arrayBuffer());
  try {
    return jpeg(bytes) ?? png(bytes) ?? gif(bytes) ?? bmp(bytes) ?? webp(bytes);
  } catch {
    return null; // it ends before it says so: a broken file, which the server names
  }
}

/** @param {DataView} bytes @param {number} at @param {string} text */
function reads(bytes, at, text) {
  return [...text].every((sign, place) => bytes.getUint8(at + place) === sign.charCodeAt(0));
}

/** @param {DataView} bytes @returns {Dimensions | null} */
function png(bytes) {
  if (!reads(bytes, 0, "\u0089PNG")) return null;
  return { width: bytes.getUint32(16), height: bytes.getUint32(20), type: "png" };
}

/** @param {DataView} bytes @returns {Dimensions | null} */
function gif(bytes) {
  if (!reads(bytes, 0, "GIF8")) return null;
  return { width: bytes.getUint16(6, true), height: bytes.getUint16(8, true), type: "gif" };
}

/** Its height is below zero where its rows begin at the top. @param {DataView} bytes @returns {Dimensions | null} */
function bmp(bytes) {
  if (!reads(bytes, 0, "BM") || bytes.getUint32(14, true) < 40) return null;
  return { width: bytes.getInt32(18, true), height: Math.abs(bytes.getInt32(22, true)), type: "bmp" };
}

/** @param {DataView} bytes @returns {Dimensions | null} */
function webp(bytes) {
  if (!reads(bytes, 0, "RIFF") || !reads(bytes, 8, "WEBPVP8")) return null;
  const kind = String.fromCharCode(bytes.getUint8(15));
  if (kind === "X") return { width: 1 + uint24(bytes, 24), height: 1 + uint24(bytes, 27), type: "webp" };
  if (kind === "L") {
    const bits = bytes.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff), type: "webp" };
  }
  return { width: bytes.getUint16(26, true) & 0x3fff, height: bytes.getUint16(28, true) & 0x3fff, type: "webp" };
}

/** @param {DataView} bytes @param {number} at */
function uint24(bytes, at) {
  return bytes.getUint16(at, true) | (bytes.getUint8(at + 2) << 16);
}

/** Goes from segment to segment up to the start of a frame. @param {DataView} bytes @returns {Dimensions | null} */
function jpeg(bytes) {
  if (bytes.getUint16(0) !== 0xffd8) return null;
  let at = 2;
  while (bytes.getUint8(at) === 0xff) {
    const marker = bytes.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { width: bytes.getUint16(at + 7), height: bytes.getUint16(at + 5), type: "jpeg" };
    at += marker === 0xff ? 1 : 2 + bytes.getUint16(at + 2);
  }
  return null;
}
