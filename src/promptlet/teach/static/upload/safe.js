/** The safety copy: images on their way lie in the browser's own store, too, until the server has them. */

import { t } from "../app/words.js";

/**
 * owner: the tab that sends it. bytes: an ArrayBuffer, because some browsers spoil Blobs that they keep.
 * @typedef {{key?: number, owner: string, project: string, className: string | null, gesture: string, name: string,
 *   type: string, bytes: ArrayBuffer}} Copy
 * @typedef {Omit<Copy, "bytes"> & {key: number, size: number}} Left a copy that is told of without its bytes
 * @typedef {{gesture: string, owner: string, project: string, left: number}} Unread files of a gesture not yet read
 */

const DATABASE = "promptlet";
const OWN = random();
/** @type {Promise<IDBDatabase> | null} */
let opened = null;

/** Sixteen random bytes in hex. */
export function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function database() {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("copies", { keyPath: "key", autoIncrement: true });
      asked.result.createObjectStore("unread", { keyPath: "gesture" });
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return opened;
}

/**
 * One transaction; gives the result of the request that `work` makes.
 * @template T
 * @param {"copies" | "unread"} store
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T> | void} work
 * @returns {Promise<T | undefined>}
 */
async function transact(store, mode, work) {
  const transaction = (await database()).transaction(store, mode);
  const request = work(transaction.objectStore(store));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

/** Holds a lock as long as this tab lives, so that others leave its copies alone; asks the browser not to clear them. */
export function holdOwn() {
  void navigator.locks?.request(lockOf(OWN), () => new Promise(() => {}));
}

/** Asks the browser to keep what is stored here even when the disk gets full. */
export function askToKeep() {
  void navigator.storage?.persist?.().catch(() => false);
}

/** @param {string} owner */
function lockOf(owner) {
  return `promptlet-tab-${owner}`;
}

/** Keeps a copy. @param {Omit<Copy, "owner">} copy @returns {Promise<number | null>} its key; null where the browser keeps nothing */
export async function keep(copy) {
  try {
    return Number(await transact("copies", "readwrite", (store) => store.add({ ...copy, owner: OWN })));
  } catch {
    return null;
  }
}

/** @param {(number | null)[]} keys */
export async function drop(keys) {
  const own = keys.filter((key) => key !== null);
  if (own.length === 0) return;
  await transact("copies", "readwrite", (store) => {
    for (const key of own) store.delete(key);
  }).catch(() => {});
}

/** @param {number | null} key @returns {Promise<Blob>} */
export async function copyOf(key) {
  const copy = key === null ? undefined : await transact("copies", "readonly", (store) => store.get(key));
  if (!copy) throw new Error(t("teach.upload.copy-gone"));
  return new Blob([copy.bytes], { type: copy.type });
}

/** Notes how many files of a gesture are not yet read: they cannot be taken up again. @param {string} gesture @param {string} project @param {number} left */
export async function noteUnread(gesture, project, left) {
  await transact("unread", "readwrite", (store) => {
    if (left > 0) store.put({ gesture, owner: OWN, project, left });
    else store.delete(gesture);
  }).catch(() => {});
}

/**
 * What tabs that are gone have left, in its order. It belongs to this tab from now on.
 * @returns {Promise<{copies: Left[], unread: Unread[]}>}
 */
export async function adopt() {
  try {
    const work = async () => {
      const isAlive = await living();
      const copies = await adoptCopies(isAlive);
      return { copies, unread: await takeUnread(isAlive) };
    };
    return await (navigator.locks ? navigator.locks.request("promptlet-adopt", work) : work());
  } catch {
    return { copies: [], unread: [] };
  }
}

/** @returns {Promise<(owner: string) => boolean>} */
async function living() {
  const held = (await navigator.locks?.query())?.held ?? [];
  const names = new Set(held.map((lock) => lock.name));
  return (owner) => owner === OWN || names.has(lockOf(owner));
}

/** Goes over the copies one by one, so that their bytes are never in memory together. @param {(owner: string) => boolean} isAlive */
async function adoptCopies(isAlive) {
  /** @type {Left[]} */
  const found = [];
  await transact("copies", "readwrite", (store) => {
    const asked = store.openCursor();
    asked.onsuccess = () => {
      const cursor = asked.result;
      if (!cursor) return;
      if (!isAlive(cursor.value.owner)) {
        const { bytes, ...copy } = cursor.value;
        cursor.update({ ...copy, bytes, owner: OWN });
        found.push({ ...copy, size: bytes.byteLength, owner: OWN });
      }
      cursor.continue();
    };
  });
  return found;
}

/** @param {(owner: string) => boolean} isAlive @returns {Promise<Unread[]>} */
async function takeUnread(isAlive) {
  const all = /** @type {Unread[]} */ ((await transact("unread", "readonly", (store) => store.getAll())) ?? []);
  const left = all.filter((one) => !isAlive(one.owner));
  await transact("unread", "readwrite", (store) => {
    for (const one of left) store.delete(one.gesture);
  });
  return left;
}
