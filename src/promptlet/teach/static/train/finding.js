/** What was found to look wrong: whether it still does, what is said of it, and how it is repaired. */
import { has, list, t } from "../app/words.js";
import { sentence } from "./accuracy.js";

/**
 * @typedef {{kind: string, images: string[], class: string | null, suggested: string | null, words: string,
 *   repair?: Record<string, any> | null}} Finding
 * @typedef {{words: string, change: Record<string, unknown>, told: string}} Repair told: when it is done
 * @typedef {import("../app/state.js").Project} Project
 */

const COPIES = new Set(["duplicate", "near-duplicate", "two-classes"]);
const NAMES = new Set(["name", "unknown-name"]);

/** Those of its images that are still there. @param {Finding} finding @param {Map<string, string>} classOf @param {Project} project */
export function present(finding, classOf, project) {
  return finding.images.filter((id) => classOf.has(id) || project.state.unlabelled.includes(id));
}

/** Whether there is still something to look at. @param {Finding} finding @param {Map<string, string>} classOf @param {Project} project */
export function isOpen(finding, classOf, project) {
  const there = finding.images.filter((id) => classOf.has(id));
  if (COPIES.has(finding.kind)) return there.length > 1;
  if (finding.kind === "doubtful-label") return there.some((id) => classOf.get(id) === finding.class);
  const isOfClass = project.state.classes.some((one) => one.name === finding.class);
  return finding.images.length > 0 ? there.length > 0 : isOfClass || finding.kind === "imbalance";
}

/** @param {Finding} finding */
export function kindWords({ kind, words, class: name }) {
  const key = `train.kind.${kind}`;
  return has(key) ? t(key, { class: name ?? "" }) : sentence(words);
}

/** @param {Finding} finding @param {Map<string, string>} classOf */
export function said(finding, classOf) {
  const { kind, class: name, suggested } = finding;
  if (kind === "doubtful-label" && suggested) return t("train.said.doubtful", { class: name ?? "", suggested });
  if (NAMES.has(kind)) return t(`train.said.${kind}`);
  if (kind === "imbalance") return t("train.said.imbalance");
  if (kind === "alike-name" && finding.repair) return t("train.said.alike-name", { classes: list(finding.repair.names) });
  const classes = COPIES.has(kind) ? finding.images.map((id) => classOf.get(id)) : [name];
  const different = /** @type {string[]} */ ([...new Set(classes.filter(Boolean))]);
  if (different.length > 1) return t("train.said.two", { class: list(different) });
  return different.length ? t("train.said.in", { class: different[0] }) : "";
}

/** @param {Project} project @param {Finding} finding @param {Map<string, string>} classOf @returns {Repair[]} */
export function repairsOf(project, finding, classOf) {
  const there = finding.images.filter((id) => classOf.has(id));
  const { suggested, repair } = finding;
  if (COPIES.has(finding.kind)) return likeliestFirst(ofCopies(there, classOf), repair);
  if (repair?.action === "merge-classes")
    return [{ words: t("train.repair.merge"), change: repair, told: t("train.repaired.merged") }];
  if (!there.length) return [];
  const isKnown = project.state.classes.some((one) => one.name === suggested);
  const remove = removal(there, t("train.repair.remove", { count: there.length }));
  return finding.kind === "doubtful-label" && suggested && isKnown ? [move(there, suggested), remove] : [remove];
}

/** Of copies one stays: in two classes the user says which. @param {string[]} there @param {Map<string, string>} classOf */
function ofCopies(there, classOf) {
  const classes = /** @type {string[]} */ ([...new Set(there.map((id) => classOf.get(id)))]);
  if (classes.length < 2) return [removal(there.slice(1), t("train.repair.copies", { count: there.length - 1 }))];
  return classes.map((name) => {
    const stays = there.find((id) => classOf.get(id) === name);
    const others = there.filter((id) => id !== stays);
    return removal(others, t("train.repair.only", { class: name }));
  });
}

/** What the library would do stands first. @param {Repair[]} repairs @param {Record<string, any> | null} [wanted] */
function likeliestFirst(repairs, wanted) {
  const images = wanted?.images?.join();
  return repairs.sort((a, b) => Number(imagesOf(b) === images) - Number(imagesOf(a) === images));
}

/** @param {Repair} repair */
function imagesOf({ change }) {
  return /** @type {string[]} */ (change.images).join();
}

/** @param {string[]} images @param {string} words @returns {Repair} */
function removal(images, words) {
  const change = { action: "remove-images", images };
  return { words, change, told: t("train.repaired.removed", { count: images.length }) };
}

/** @param {string[]} images @param {string} to @returns {Repair} */
function move(images, to) {
  const change = { action: "move-images", images, to };
  const told = t("train.repaired.moved", { count: images.length, class: to });
  return { words: t("train.repair.move", { class: to }), change, told };
}

/** The same finding of two trainings has the same. @param {Finding} finding */
export function keyOf(finding) {
  return `${finding.kind} ${finding.class ?? ""} ${finding.suggested ?? ""} ${finding.images.join(" ")}`;
}
