/** What goes on meanwhile: images on their way, images being read by the model, files that could not be taken. */
import { currentConnection, onConnection } from "../app/api.js";
import { button, el, fill } from "../app/dom.js";
import { announceProgress, toast } from "../app/live.js";
import { t } from "../app/words.js";
import { onUploads, stopUploads, tallyOf } from "../upload/queue.js";
import { told } from "./acts.js";

/** Errors listed; the rest is counted. */
const SHOWN = 50;

/** @param {import("../app/state.js").Project} project @returns {{element: HTMLElement, errors: HTMLElement, end: () => void}} */
export function statusPart(project) {
  const upload = bar("upload-words", button(t("teach.upload.stop"), () => stopUploads(project.id), { class: "small quiet" }));
  const encoding = bar("encoding-words");
  const errors = el("div", { class: "status" });
  const drawUpload = () => {
    const tally = tallyOf(project.id);
    upload.draw(tally && { done: tally.done, total: tally.total, words: uploadWords(tally) });
    if (tally) announceProgress(uploadWords(tally));
  };
  const drawEncoding = () => {
    const { done, total } = project.encoding;
    encoding.draw(done < total ? { done, total, words: t("teach.encoding", { done, total }) } : null);
  };
  const ends = [
    onUploads((id, tally, isEnd) => {
      if (id !== project.id) return;
      drawUpload();
      if (!isEnd) return;
      showErrors(errors, tally.errors);
      tellEnd(project, tally);
    }),
    onConnection(drawUpload),
    project.on("encoding", drawEncoding),
  ];
  drawUpload();
  drawEncoding();
  return { element: el("div", { class: "status-bars" }, upload.element, encoding.element), errors, end: () => ends.forEach((end) => end()) };
}

/** @param {string} id @param {HTMLElement} [act] */
function bar(id, act) {
  const words = el("span", { id, class: "soft number" });
  const progress = el("progress", { "aria-labelledby": id });
  const element = el("div", { class: "status-bar", hidden: true }, el("div", { class: "spread" }, words, act), progress);
  const draw = (/** @type {{done: number, total: number, words: string} | null} */ now) => {
    element.hidden = now === null;
    if (now === null) return;
    words.textContent = now.words;
    progress.max = now.total;
    progress.value = now.done;
  };
  return { element, draw };
}

/** @param {import("../upload/queue.js").Tally} tally */
function uploadWords({ done, total }) {
  const isOffline = currentConnection() !== "online";
  return t(isOffline ? "teach.upload.waiting" : "teach.upload.progress", { done, total, left: total - done, count: total - done });
}

/** @param {import("../app/state.js").Project} project @param {import("../upload/queue.js").Tally} tally */
function tellEnd(project, { added, known, errors, isQuiet }) {
  if (added + known + errors.length === 0 || (isQuiet && errors.length === 0)) return;
  const parts = [
    added && t("teach.upload.added", { count: added }),
    known && t("teach.upload.known", { count: known }),
    errors.length && t("teach.upload.failed", { count: errors.length }),
  ].filter(Boolean);
  const tone = errors.length ? "warn" : "good";
  if (added) told(project, parts.join(" "), "add-images", tone);
  else toast(parts.join(" "), { tone });
}

/** @param {HTMLElement} place @param {import("../upload/queue.js").ItemError[]} errors */
function showErrors(place, errors) {
  if (errors.length === 0) return;
  const hidden = errors.length - SHOWN;
  fill(place, el("div", { class: "notice warn", role: "group", "aria-label": t("teach.upload.failed", { count: errors.length }) },
    el("details", { class: "grow", open: errors.length < 4 },
      el("summary", {}, t("teach.upload.failed", { count: errors.length })),
      el("p", {}, t("teach.upload.failed-words")),
      el("ul", {}, errors.slice(0, SHOWN).map(({ name, detail, lang }) => el("li", {}, el("strong", {}, name), ": ", el("span", { lang }, detail))),
        hidden > 0 && el("li", {}, t("teach.upload.more", { count: hidden })))),
    button(t("app.close"), () => fill(place), { class: "small" })));
}
