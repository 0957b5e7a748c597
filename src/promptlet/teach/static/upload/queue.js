/**
 * Images on their way to the server: read and shrunk a few at a time, kept in the safety copy, sent in small lots, and
 * sent again when the server or the network was away. It goes on while the user looks at other views.
 */
import { currentConnection, Failure, onConnection, wordsOf } from "../app/api.js";
import { shrunk } from "../pictures/shrink.js";
import { askToKeep, drop, keep, noteUnread, random } from "./safe.js";
import { sendLot } from "./sending.js";

/**
 * blob: null where it lies in the safety copy alone. isRetry: the server may have it already.
 * @typedef {{id: string, inputSize: number}} Goal the project
 * @typedef {{goal: Goal, gesture: string, className: string | null, name: string}} Item
 * @typedef {Item & {get: () => Promise<File>}} Waiting
 * @typedef {Item & {blob: Blob | null, size: number, key: number | null, isRetry: boolean}} Ready
 * @typedef {{name: string, detail: string, lang?: "en" | null}} ItemError lang: of the detail, where it is not the page's
 * @typedef {{total: number, done: number, added: number, known: number, errors: ItemError[],
 *   isQuiet: boolean}} Tally isQuiet: who sends them tells of them
 */

const READERS = 2;
const SENDERS = 2;
/** What is held in memory; the rest lies in the safety copy, or is not yet read where the browser keeps none. */
const MOST_HELD = 64;
const MOST_BYTES = 32 * 1024 * 1024;
const LOT = 16;
const LOT_BYTES = 6 * 1024 * 1024;
/** Statuses that may be one image's fault. */
const OF_ONE = new Set([400, 413, 415, 422]);

/** @type {Waiting[]} */
let waiting = [];
/** @type {Ready[]} */
let ready = [];
let held = 0;
let heldBytes = 0;
let reading = 0;
/** Lots between here and the server. @type {Set<Promise<void>>} */
const flying = new Set();
let isStill = false;
let isKeeping = true;
let isAsleep = false;
let wait = 500;
/** @type {Map<string, Tally>} by project, since its queue was last empty */
const tallies = new Map();
/** Files of a gesture not yet read. @type {Map<string, number>} */
const unread = new Map();
/** @type {Set<(project: string, tally: Tally, isEnd: boolean) => void>} */
const watchers = new Set();

/** @param {(project: string, tally: Tally, isEnd: boolean) => void} watcher isEnd: nothing of the project is on its way any more */
export function onUploads(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** @param {string} project @returns {Tally | null} null where nothing is on its way */
export function tallyOf(project) {
  return tallies.get(project) ?? null;
}

/**
 * Puts files of one gesture into the queue; what one gesture brought is one step of undo.
 * @param {Goal} goal
 * @param {{name: string, className: string | null, get: () => Promise<File>}[]} items
 * @param {{gesture?: string, isQuiet?: boolean}} [options] gesture: given where one gesture brings files little by little,
 *   as a camera does
 */
export function upload(goal, items, { gesture = random(), isQuiet = false } = {}) {
  if (items.length === 0) return;
  askToKeep();
  const left = (unread.get(gesture) ?? 0) + items.length;
  unread.set(gesture, left);
  void noteUnread(gesture, goal.id, left);
  count(goal.id, items, isQuiet);
  for (const item of items) waiting.push({ ...item, goal, gesture });
  go();
}

/** Takes up copies that a tab that is gone has left. @param {Goal} goal @param {import("./safe.js").Left[]} copies */
export function resume(goal, copies) {
  if (copies.length === 0) return;
  count(goal.id, copies, false);
  for (const { gesture, className, name, size, key } of copies) {
    ready.push({ goal, gesture, className, name, size, key, blob: null, isRetry: true });
  }
  go();
}

/** @param {string} project @param {{className: string | null}[]} items @param {boolean} isQuiet */
function count(project, items, isQuiet) {
  const tally = tallies.get(project) ?? { total: 0, done: 0, added: 0, known: 0, errors: [], isQuiet };
  tally.total += items.length;
  tally.isQuiet &&= isQuiet;
  tallies.set(project, tally);
  tell(project);
}

/** Images that are still here and were to go to a class go to another one. @param {string} project @param {string} from @param {string} to */
export function redirect(project, from, to) {
  for (const item of [...waiting, ...ready]) if (item.goal.id === project && item.className === from) item.className = to;
}

/** Images that are still here are not sent. @param {string} project @param {(item: Item) => boolean} [isMeant] all without it */
export function stopUploads(project, isMeant = () => true) {
  const isOut = (/** @type {Item} */ item) => item.goal.id === project && isMeant(item);
  const [unreadOut, readyOut] = [waiting.filter(isOut), ready.filter(isOut)];
  waiting = waiting.filter((item) => !isOut(item));
  ready = ready.filter((item) => !isOut(item));
  for (const item of unreadOut) noteRead(item);
  for (const { blob } of readyOut) if (blob) hold(-1, -blob.size);
  void drop(readyOut.map((item) => item.key));
  const tally = tallies.get(project);
  if (!tally || unreadOut.length + readyOut.length === 0) return;
  tally.total -= unreadOut.length + readyOut.length;
  tell(project);
}

function go() {
  while (reading < READERS && waiting.length && (isKeeping || hasRoom())) {
    reading += 1;
    void readNext().finally(() => {
      reading -= 1;
      go();
    });
  }
  while (flying.size < SENDERS && ready.length && !isAsleep && !isStill && (ready.length >= LOT || reading === 0 || flying.size === 0)) {
    const flight = deliver(takeLot()).finally(() => {
      flying.delete(flight);
      go();
    });
    flying.add(flight);
  }
}

/**
 * Does something while no image is between here and the server, so that none comes to a class that was renamed meanwhile.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function whileStill(work) {
  isStill = true;
  try {
    await Promise.all(flying);
    return await work();
  } finally {
    isStill = false;
    go();
  }
}

function hasRoom() {
  return held < MOST_HELD && heldBytes < MOST_BYTES;
}

async function readNext() {
  const { get, ...item } = /** @type {Waiting} */ (waiting.shift());
  try {
    const blob = await shrunk(await get(), item.goal.inputSize);
    const key = await keepCopy(item, blob);
    isKeeping = key !== null;
    const isParked = isKeeping && !hasRoom();
    ready.push({ ...item, key, size: blob.size, blob: isParked ? null : blob, isRetry: false });
    if (!isParked) hold(1, blob.size);
  } catch (error) {
    settle(item.goal.id, { errors: [{ name: item.name, detail: wordsOf(error) }] });
  }
  noteRead(item);
}

/** @param {Item} item @param {Blob} blob */
async function keepCopy({ goal, gesture, className, name }, blob) {
  return keep({ project: goal.id, className, gesture, name, type: blob.type, bytes: await blob.arrayBuffer() });
}

/** @param {number} images @param {number} bytes */
function hold(images, bytes) {
  held += images;
  heldBytes += bytes;
}

/** Notes now and then how many files of the gesture are left to be read. @param {Item} item */
function noteRead(item) {
  const left = (unread.get(item.gesture) ?? 1) - 1;
  unread.set(item.gesture, left);
  if (left === 0) unread.delete(item.gesture);
  if (left % 16 === 0) void noteUnread(item.gesture, item.goal.id, left);
}

/** Images of one gesture that go to the same class of the same project. @returns {Ready[]} */
function takeLot() {
  const [first] = ready;
  /** @type {Ready[]} */
  const lot = [];
  let bytes = 0;
  ready = ready.filter((one) => {
    const fits = one.goal.id === first.goal.id && one.gesture === first.gesture && one.className === first.className;
    if (!fits || lot.length >= LOT || (lot.length > 0 && bytes + one.size > LOT_BYTES)) return true;
    lot.push(one);
    bytes += one.size;
    return false;
  });
  return lot;
}

/** Sends a lot; where the server does not want it, one by one, so that one image costs itself alone. @param {Ready[]} lot */
async function deliver(lot) {
  try {
    settle(lot[0].goal.id, await sendLot(lot));
    wait = 500;
  } catch (error) {
    const status = error instanceof Failure ? error.status : -1;
    if (error instanceof Failure && (error.isPassing || status === 401)) return putBack(lot);
    if (lot.length > 1 && OF_ONE.has(status)) return deliverEach(lot);
    settle(lot[0].goal.id, { errors: lot.map(({ name }) => ({ name, detail: wordsOf(error) })) });
  }
  for (const { blob } of lot) if (blob) hold(-1, -blob.size);
  await drop(lot.map((one) => one.key));
}

/** @param {Ready[]} lot */
async function deliverEach(lot) {
  for (const one of lot) await deliver([one]);
}

/** Waits, longer each time, and wakes at once when the server is back. @param {Ready[]} lot */
function putBack(lot) {
  ready = [...lot.map((one) => ({ ...one, isRetry: true })), ...ready];
  isAsleep = true;
  window.setTimeout(wake, wait);
  wait = Math.min(2 * wait, 15_000);
  tell(lot[0].goal.id);
}

function wake() {
  isAsleep = currentConnection() === "locked";
  go();
}

/** @param {string} project @param {{added?: number, known?: number, errors?: ItemError[]}} came */
function settle(project, { added = 0, known = 0, errors = [] }) {
  const tally = tallies.get(project);
  if (!tally) return;
  tally.added += added;
  tally.known += known;
  tally.errors.push(...errors);
  tally.done += added + known + errors.length;
  tell(project);
}

/** @param {string} project */
function tell(project) {
  const tally = tallies.get(project);
  if (!tally) return;
  const isEnd = tally.done >= tally.total;
  if (isEnd) tallies.delete(project);
  for (const watcher of watchers) watcher(project, tally, isEnd);
}

onConnection((now) => {
  if (now === "online") wake();
});
window.addEventListener("online", wake);
window.addEventListener("beforeunload", (event) => {
  if (unread.size) event.preventDefault();
});
