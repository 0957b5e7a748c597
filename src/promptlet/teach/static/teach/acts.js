/** What can be done with classes and images: each act is one change on the server, told in words, with a way back. */
import { announce, attempt, closeToast, toast } from "../app/live.js";
import { has, t } from "../app/words.js";
import { redirect, stopUploads, whileStill } from "../upload/queue.js";

/** @typedef {import("../app/state.js").Project} Project */

/** Acts go one after the other, so that quick keys never overtake each other. @type {Promise<unknown>} */
let last = Promise.resolve();

/** @param {() => Promise<unknown>} work @returns {Promise<boolean>} whether it went well; if not, it was told */
export function inTurn(work) {
  const next = last.then(() => attempt(work));
  last = next;
  return next;
}

/** The same, for who tells of a failure itself. @template T @param {() => Promise<T>} work @returns {Promise<T>} raises Failure */
function raising(work) {
  const next = last.then(work);
  last = next.catch(() => {});
  return next;
}

/** @param {string | null} className */
export function nameOf(className) {
  return className ?? t("teach.unlabelled");
}

/** @param {Project} project @param {string[]} images @param {string | null} to null: unlabelled */
export function moveImages(project, images, to) {
  const own = project.state.classes.find((one) => one.name === to)?.images ?? (to === null ? project.state.unlabelled : []);
  const there = new Set(own);
  const moved = images.filter((image) => !there.has(image));
  if (moved.length === 0) {
    announce(t("teach.told.there", { class: nameOf(to) }));
    return Promise.resolve(false);
  }
  return inTurn(async () => {
    const state = await project.change({ action: "move-images", images: moved, to });
    tellSkipped(state);
    announce(t("teach.told.moved", { count: moved.length, class: nameOf(to) }));
  });
}

/** @param {Project} project @param {string[]} images */
export function removeImages(project, images) {
  if (images.length === 0) return Promise.resolve(false);
  return inTurn(async () => {
    tellSkipped(await project.change({ action: "remove-images", images }));
    told(project, t("teach.told.removed", { count: images.length }), "remove-images");
  });
}

/** @param {Project} project @param {string} name @returns {Promise<string>} as it is kept; raises Failure */
export function createClass(project, name) {
  return raising(async () => {
    const before = new Set(project.state.classes.map((one) => one.name));
    const { classes } = await project.change({ action: "create-class", name });
    announce(t("teach.told.created", { class: name }));
    return classes.find((one) => !before.has(one.name))?.name ?? name;
  });
}

/** Images on their way to it go to its new name. @param {Project} project @param {string} name @param {string} to @returns {Promise<string>} as it is kept; raises Failure */
export function renameClass(project, name, to) {
  return raising(() => whileStill(async () => {
    const place = project.state.classes.findIndex((one) => one.name === name);
    const { classes } = await project.change({ action: "rename-class", name, to });
    const kept = classes[place]?.name ?? to;
    redirect(project.id, name, kept);
    announce(t("teach.told.renamed", { class: name, to: kept }));
    return kept;
  }));
}

/** @param {Project} project @param {string} name @param {string} to another class */
export function mergeClasses(project, name, to) {
  return inTurn(() => whileStill(async () => {
    await project.change({ action: "merge-classes", names: [name, to], to });
    redirect(project.id, name, to);
    told(project, t("teach.told.merged", { class: name, to }), "merge-classes");
  }));
}

/** Images on their way to it are not sent. @param {Project} project @param {string} name */
export function deleteClass(project, name) {
  return inTurn(() => whileStill(async () => {
    stopUploads(project.id, (item) => item.className === name);
    await project.change({ action: "delete-class", name });
    told(project, t("teach.told.deleted", { class: name }), "delete-class");
  }));
}

/** @param {Project} project @param {string} name @param {number} step -1: before the one before it */
export function orderClass(project, name, step) {
  const names = project.state.classes.map((one) => one.name);
  const at = names.indexOf(name);
  names.splice(at + step, 0, ...names.splice(at, 1));
  return inTurn(async () => {
    await project.change({ action: "order-classes", names });
    announce(t("teach.told.ordered", { class: name, place: at + step + 1 }));
  });
}

/** @param {Project} project @param {"undo" | "redo"} way */
export function stepBack(project, way) {
  return inTurn(async () => {
    const step = project.state[way];
    if (!step) return;
    await project.step(way);
    closeToast(WAY_BACK);
    announce(t(`teach.told.${way}`, { step: stepWords(step) }));
  });
}

/** A step of undo or redo in words. @param {import("../app/state.js").Step} step */
export function stepWords(step) {
  const key = `teach.step.${step.action}`;
  return t(has(key) ? key : "teach.step.other", { count: step.count ?? 1, class: step.class ?? t("teach.unlabelled") });
}

/** The message that has the way back. */
export const WAY_BACK = "way-back";

/**
 * A message with a button that takes back what it tells of; where something else was done since, it says so instead.
 * @param {Project} project
 * @param {string} words
 * @param {string} action of the step
 * @param {"" | "good" | "warn"} [tone]
 */
export function told(project, words, action, tone = "") {
  const run = () => {
    if (project.state.undo?.action === action) void stepBack(project, "undo");
    else toast(t("teach.told.other-step"), { tone: "warn" });
  };
  toast(words, { tone, key: WAY_BACK, action: { words: t("app.undo"), run } });
}

/** @param {import("../app/state.js").State} state */
function tellSkipped(state) {
  if (state.skipped?.length) toast(t("teach.told.skipped", { count: state.skipped.length }), { tone: "warn" });
}
