/** What a person dropped, chose or pasted, as plain paths: "pets/beagle/1.jpg". Files are opened when their turn comes. */
import { openZip } from "./zip.js";

/**
 * `path` begins with the folder that was dropped; a file by itself has no slash.
 * @typedef {{path: string, get: () => Promise<File>}} Found
 */

const IMAGES = /\.(jpe?g|jpe|jfif|png|gif|bmp|webp|tiff?|p[pgbn]m|avif|jp2|hei[cf]|hif|svg)$/i;

/** As people count: 2 comes before 10. */
const ORDER = new Intl.Collator(undefined, { numeric: true });

/** Whether a file looks like an image: SVG, too, so that the server can say why it is not taken. @param {string} path */
export function isImage(path) {
  return IMAGES.test(path);
}

/** @param {string} path */
export function isZip(path) {
  return /\.zip$/i.test(path);
}

/** Of files chosen: those chosen as a folder have their path. @param {Iterable<File>} files @returns {Found[]} */
export function chosen(files) {
  const all = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, get: async () => file }));
  return all.sort((one, other) => ORDER.compare(one.path, other.path));
}

/**
 * Of a drop or a paste; must be called while the event lasts, the walk through folders goes on after it.
 * @param {DataTransfer} data
 * @returns {Promise<Found[]>}
 */
export function dropped(data) {
  const items = [...data.items].filter((item) => item.kind === "file");
  const taken = items.map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  return walkAll(taken);
}

/** @param {{entry: FileSystemEntry | null, file: File | null}[]} taken */
async function walkAll(taken) {
  /** @type {Found[]} */
  const found = [];
  for (const { entry, file } of taken) {
    if (entry?.isDirectory) await walk(/** @type {FileSystemDirectoryEntry} */ (entry), entry.name, found);
    else if (file) found.push({ path: file.name, get: async () => file });
  }
  return found;
}

/** @param {FileSystemDirectoryEntry} folder @param {string} path @param {Found[]} found */
async function walk(folder, path, found) {
  for (const entry of (await entriesOf(folder)).sort((one, other) => ORDER.compare(one.name, other.name))) {
    const below = `${path}/${entry.name}`;
    if (entry.isDirectory) await walk(/** @type {FileSystemDirectoryEntry} */ (entry), below, found);
    else found.push({ path: below, get: () => opened(/** @type {FileSystemFileEntry} */ (entry)) });
  }
}

/** Browsers give a hundred at a time. @param {FileSystemDirectoryEntry} folder */
async function entriesOf(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File>} */
function opened(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/**
 * What lies in a zip, below a folder with the zip's name, as if that had been dropped. Raises ZipError.
 * @param {File} file
 * @returns {Promise<Found[]>}
 */
export async function inZip(file) {
  const { entries, read } = await openZip(file);
  const top = file.name.replace(/\.zip$/i, "");
  return entries.map((entry) => ({
    path: `${top}/${entry.path.replaceAll("\\", "/")}`,
    get: async () => new File([await read(entry)], entry.path.split("/").pop() ?? entry.path),
  }));
}
