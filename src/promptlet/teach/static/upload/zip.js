/** Reads zip files in the browser, one entry at a time; a zip made to burst is refused before it does. */

/**
 * @typedef {{path: string, size: number, packed: number, offset: number, method: number}} Entry
 * @typedef {{entries: Entry[], read: (entry: Entry) => Promise<Blob>}} Zip
 */

const MOST_ENTRIES = 200_000;
const MOST_DIRECTORY = 64 * 1024 * 1024;
/** Bytes of an entry: more than any image that the server takes. */
export const MOST_ENTRY = 256 * 1024 * 1024;
const MOST_RATIO = 1100; // what deflate can do at all is 1,032
const MOST_TOTAL = 64 * 1024 ** 3;
const END = 0x06054b50, END_64 = 0x06064b50, LOCATOR_64 = 0x07064b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50;

/** What is wrong with a zip; `reason` is the end of a key of words (teach.zip.…). */
export class ZipError extends Error {
  /** @param {"broken" | "secret" | "large" | "method"} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** @param {Blob} file @returns {Promise<Zip>} raises ZipError */
export async function openZip(file) {
  const { start, size, count } = await end(file);
  if (count > MOST_ENTRIES || size > MOST_DIRECTORY) throw new ZipError("large");
  if (start + size > file.size) throw new ZipError("broken");
  const entries = listed(await view(file, start, size), count);
  if (entries.reduce((sum, entry) => sum + entry.size, 0) > MOST_TOTAL) throw new ZipError("large");
  return { entries, read: (entry) => read(file, entry) };
}

/** @param {Blob} file @param {number} start @param {number} size */
async function view(file, start, size) {
  return new DataView(await file.slice(start, start + size).arrayBuffer());
}

/** Where the central directory lies. @param {Blob} file */
async function end(file) {
  const from = Math.max(0, file.size - 65_557);
  const tail = await view(file, from, file.size - from);
  for (let at = tail.byteLength - 22; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END) continue;
    const has64 = at >= 20 && tail.getUint32(at - 20, true) === LOCATOR_64;
    if (has64) return end64(file, Number(tail.getBigUint64(at - 12, true)));
    return { count: tail.getUint16(at + 10, true), size: tail.getUint32(at + 12, true), start: tail.getUint32(at + 16, true) };
  }
  throw new ZipError("broken");
}

/** @param {Blob} file @param {number} at */
async function end64(file, at) {
  const record = await view(file, at, 56);
  if (record.byteLength < 56 || record.getUint32(0, true) !== END_64) throw new ZipError("broken");
  const [count, size, start] = [32, 40, 48].map((place) => Number(record.getBigUint64(place, true)));
  return { count, size, start };
}

/** @param {DataView} directory @param {number} count @returns {Entry[]} files only */
function listed(directory, count) {
  const found = [];
  let at = 0;
  try {
    for (let place = 0; place < count; place++) {
      if (directory.getUint32(at, true) !== ENTRY) throw new ZipError("broken");
      const entry = entryAt(directory, at);
      if (!entry.path.endsWith("/")) found.push(checked(entry, directory.getUint16(at + 8, true)));
      at += 46 + [28, 30, 32].reduce((sum, place_) => sum + directory.getUint16(at + place_, true), 0);
    }
  } catch (error) {
    throw error instanceof ZipError ? error : new ZipError("broken");
  }
  return found;
}

/** @param {DataView} directory @param {number} at @returns {Entry} */
function entryAt(directory, at) {
  const nameLength = directory.getUint16(at + 28, true);
  const name = new Uint8Array(directory.buffer, directory.byteOffset + at + 46, nameLength);
  const entry = {
    path: decoded(name),
    method: directory.getUint16(at + 10, true),
    packed: directory.getUint32(at + 20, true),
    size: directory.getUint32(at + 24, true),
    offset: directory.getUint32(at + 42, true),
  };
  return larger(entry, directory, at + 46 + nameLength, directory.getUint16(at + 30, true));
}

/** Fills in what stands in the extra field of zip64. @param {Entry} entry @param {DataView} view @param {number} at @param {number} length */
function larger(entry, view, at, length) {
  const stop = at + length;
  while (at + 4 <= stop) {
    const size = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      let place = at + 4;
      for (const name of /** @type {("size" | "packed" | "offset")[]} */ (["size", "packed", "offset"])) {
        if (entry[name] !== 0xffffffff) continue;
        entry[name] = Number(view.getBigUint64(place, true));
        place += 8;
      }
    }
    at += 4 + size;
  }
  return entry;
}

/** @param {Uint8Array} name */
function decoded(name) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(name);
  } catch {
    return new TextDecoder("windows-1252").decode(name);
  }
}

/** @param {Entry} entry @param {number} flags */
function checked(entry, flags) {
  if (flags & 1) throw new ZipError("secret");
  return entry;
}

/** The bytes of an entry, unpacked. @param {Blob} file @param {Entry} entry @returns {Promise<Blob>} */
async function read(file, entry) {
  if (entry.size > MOST_ENTRY || entry.size > MOST_RATIO * Math.max(1, entry.packed)) throw new ZipError("large");
  const local = await view(file, entry.offset, 30);
  if (local.byteLength < 30 || local.getUint32(0, true) !== LOCAL) throw new ZipError("broken");
  const start = entry.offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const packed = file.slice(start, start + entry.packed);
  if (entry.method === 0) return packed;
  if (entry.method !== 8) throw new ZipError("method");
  return inflated(packed, entry.size);
}

/** Stops where more comes out than the zip said. @param {Blob} packed @param {number} size */
async function inflated(packed, size) {
  const parts = [];
  let sum = 0;
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      sum += part.value.byteLength;
      if (sum > size) throw new ZipError("large");
      parts.push(part.value);
    }
  } catch (error) {
    void reader.cancel().catch(() => {});
    throw error instanceof ZipError ? error : new ZipError("broken");
  }
  if (sum !== size) throw new ZipError("broken");
  return new Blob(parts);
}
