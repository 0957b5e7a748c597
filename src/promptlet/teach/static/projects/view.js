/** The start: all projects, a new one, one opened from a file, and those that were deleted. */
import { address, onConnection, request } from "../app/api.js";
import { askText } from "../app/dialogs.js";
import { button, el, fill, heading } from "../app/dom.js";
import { attempt, closeToast, tellFailure, toast } from "../app/live.js";
import { link } from "../app/routes.js";
import { ago, t } from "../app/words.js";
import { dropped } from "../upload/found.js";
import { openFile } from "./opening.js";

/** Of messages about a file that could not be opened. */
const OPENING = "opening";

/**
 * @typedef {{id: string, title: string, images: number, classes: number, unlabelled: number, trained: boolean, changed: number}} Row
 * @typedef {{id: string, title: string}} Removed
 */

/** @param {HTMLElement} main @returns {() => void} */
export function show(main) {
  const list = el("ul", { role: "list", class: "grid" });
  const removed = el("div", {});
  const state = { isOver: false };
  const load = async () => {
    try {
      const answer = await request("GET", "/v1/projects");
      if (state.isOver) return;
      fill(list, drawn(answer.projects, load));
      fill(removed, answer.removed.length > 0 && removedPart(answer.removed, load));
    } catch (error) {
      tellFailure(error);
    }
  };
  const lead = el("p", { class: "lead soft" }, t("projects.lead"));
  fill(main, el("div", { class: "stack loose" },
    el("div", { class: "spread" }, el("div", { class: "stack tight" }, heading(t("projects.title")), lead), givingPart()),
    list, removed));
  void load();
  const ends = [watchDrop(main), onConnection((now) => now === "online" && void load())];
  return () => {
    state.isOver = true;
    closeToast(OPENING);
    ends.forEach((end) => end());
  };
}

/** @param {Row[]} rows @param {() => Promise<void>} load */
function drawn(rows, load) {
  if (rows.length === 0) return [el("li", { class: "drop first" }, el("p", { class: "lead" }, t("projects.none")), el("p", { class: "soft" }, t("projects.none-words")), newButton(true))];
  return [...rows].sort((one, other) => other.changed - one.changed).map((row) => card(row, load));
}

/** @param {Row} row @param {() => Promise<void>} load */
function card(row, load) {
  const facts = [t("projects.classes", { count: row.classes }), t("projects.photos", { count: row.images })].join(" · ");
  return el("li", { class: "card project" },
    el("h2", {}, el("a", { href: link(row.id) }, row.title)),
    el("p", { class: "soft number" }, facts),
    el("p", { class: "soft small-print" }, t("projects.changed", { when: ago(row.changed) })),
    el("div", { class: "spread" },
      row.trained ? el("span", { class: "tag good" }, t("projects.trained")) : el("span", { class: "tag" }, t("projects.untrained")),
      button(t("projects.delete"), () => void remove(row, load), { class: "quiet small danger", "aria-label": t("projects.delete-one", { title: row.title }) })));
}

/** @param {Row} row @param {() => Promise<void>} load */
async function remove(row, load) {
  const isGone = await attempt(() => request("DELETE", address(row.id)));
  if (!isGone) return;
  await load();
  toast(t("projects.deleted", { title: row.title }), { action: { words: t("projects.back"), run: () => void restore(row, load) } });
  document.querySelector("h1")?.focus();
}

/** @param {Removed} project @param {() => Promise<void>} load */
async function restore(project, load) {
  if (!(await attempt(() => request("POST", address(project.id, "/restore"))))) return;
  await load();
  toast(t("projects.restored", { title: project.title }), { tone: "good" });
  document.querySelector("h1")?.focus();
}

/** @param {Removed[]} removed @param {() => Promise<void>} load */
function removedPart(removed, load) {
  return el("details", {}, el("summary", {}, t("projects.removed", { count: removed.length })),
    el("ul", { role: "list", class: "stack tight removed" }, removed.map((one) =>
      el("li", { class: "row tight" }, el("span", {}, one.title),
        button(t("projects.back"), () => void restore(one, load), { class: "small", "aria-label": t("projects.back-one", { title: one.title }) })))));
}

function givingPart() {
  const input = el("input", {
    type: "file", accept: ".zip,.prompt", hidden: true, "aria-label": t("projects.open"),
    onchange: () => {
      const [file] = input.files ?? [];
      if (file) void open(file);
      input.value = "";
    },
  });
  return el("div", { class: "row tight" }, input, button(t("projects.open"), () => input.click()), newButton(false));
}

/** @param {boolean} isBig */
function newButton(isBig) {
  return button(t("projects.new"), () => void create(), { class: isBig ? "primary big" : "primary" });
}

async function create() {
  let id = "";
  await askText(t("projects.new"), {
    label: t("projects.name"), hint: t("projects.hint"), yes: t("projects.create"),
    act: async (title) => {
      ({ id } = await request("POST", "/v1/projects", { json: { title } }));
    },
  });
  if (id) location.hash = link(id);
}

/** What went wrong with a file stands there until another one is opened, or the list is left. @param {File} file */
async function open(file) {
  closeToast(OPENING);
  try {
    location.hash = await openFile(file);
  } catch (error) {
    tellFailure(error, OPENING);
  }
}

/** A zip or a prompt file dropped on the page is opened. @param {HTMLElement} main @returns {() => void} */
function watchDrop(main) {
  const abort = new AbortController();
  const over = (/** @type {DragEvent} */ event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    main.querySelector(".drop")?.classList.add("over");
  };
  const drop = async (/** @type {DragEvent} */ event) => {
    main.querySelector(".drop")?.classList.remove("over");
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const [first] = await dropped(event.dataTransfer);
    if (first) await open(await first.get());
  };
  window.addEventListener("dragover", over, { signal: abort.signal });
  window.addEventListener("drop", (event) => void drop(event), { signal: abort.signal });
  window.addEventListener("dragleave", () => main.querySelector(".drop")?.classList.remove("over"), { signal: abort.signal });
  return () => abort.abort();
}
