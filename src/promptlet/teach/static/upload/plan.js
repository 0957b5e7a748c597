/** Which class each file goes to, by the folders it came in. Plain functions of paths. */
import { isImage } from "./found.js";

/**
 * @typedef {import("./found.js").Found} Found
 * @typedef {{name: string, className: string | null, get: () => Promise<File>}} Planned className null: unlabelled
 */

/** Folders that tell parts of a data set, not classes. */
const PARTS = new Set(["train", "training", "val", "valid", "validation", "test", "testing"]);
/** Where a project keeps what has no class. */
const UNLABELLED = ".unlabelled";

/**
 * Files by themselves go to `target`. A folder with sub-folders gives a class for each of them; several plain folders
 * dropped together give a class each; one plain folder is as its files by themselves.
 * @param {Found[]} found
 * @param {string | null} target
 * @returns {{planned: Planned[], passedOver: number}} passedOver: files that are no images
 */
export function plan(found, target) {
  const kept = found.map((one) => ({ one, parts: parts(one.path) })).filter(({ parts }) => !isHidden(parts));
  const images = kept.filter(({ one }) => isImage(one.path));
  const roots = groups(images.filter(({ parts }) => parts.length > 1));
  const planned = images.map(({ one, parts }) => ({
    name: parts[parts.length - 1],
    className: parts.length === 1 ? target : classOf(parts, /** @type {Root} */ (roots.get(parts[0])), roots.size > 1, target),
    get: one.get,
  }));
  return { planned, passedOver: kept.length - images.length };
}

/** The name of the one plain folder that all images come in, without sub-folders; null where it is otherwise. @param {Found[]} found */
export function soleFolder(found) {
  const all = found.map(({ path }) => ({ path, parts: parts(path) })).filter((one) => !isHidden(one.parts) && isImage(one.path));
  const names = new Set(all.map((one) => (one.parts.length === 2 ? one.parts[0] : null)));
  return names.size === 1 ? [...names][0] : null;
}

/** @typedef {{skip: number}} Root skip: how many folders stand before that of the class */

/** @param {{parts: string[]}[]} images @returns {Map<string, Root>} */
function groups(images) {
  /** @type {Map<string, string[][]>} */
  const below = new Map();
  for (const { parts } of images) {
    const folders = below.get(parts[0]) ?? [];
    folders.push(parts.slice(1, -1));
    below.set(parts[0], folders);
  }
  return new Map([...below].map(([root, folders]) => [root, { skip: 1 + wrappers(folders) }]));
}

/** Folders that stand around all others, as zips often have one, and those of the parts of a data set. @param {string[][]} folders */
function wrappers(folders) {
  let skip = 0;
  for (;;) {
    const names = new Set(folders.map((one) => one[skip] ?? ""));
    const goesOn = folders.some((one) => one.length > skip + 1);
    const isAround = names.size === 1 && !names.has("") && goesOn && everyDeeper(folders, skip);
    const isPart = [...names].every((name) => PARTS.has(name.toLowerCase())) && goesOn;
    if (!isAround && !isPart) return skip;
    skip += 1;
  }
}

/** @param {string[][]} folders @param {number} skip */
function everyDeeper(folders, skip) {
  return folders.every((one) => one.length > skip + 1);
}

/** @param {string[]} parts @param {Root} root @param {boolean} hasMore @param {string | null} target */
function classOf(parts, root, hasMore, target) {
  const folders = parts.slice(0, -1);
  const name = folders[root.skip] ?? (hasMore && folders.length === 1 ? folders[0] : undefined);
  if (name === UNLABELLED) return null;
  return name?.trim() || target;
}

/** @param {string} path */
function parts(path) {
  return path.split("/").filter((part) => part !== "" && part !== "." && part !== "..");
}

/** What systems leave in folders, and what was removed from a project. @param {string[]} parts */
function isHidden(parts) {
  return parts.some((part) => (part.startsWith(".") && part !== UNLABELLED) || part === "__MACOSX" || part === "Thumbs.db");
}
