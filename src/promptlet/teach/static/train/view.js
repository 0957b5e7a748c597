/** Train: one button, what happens meanwhile, and what was learned. */
import { el, fill, heading } from "../app/dom.js";
import { isRunning } from "../app/state.js";
import { t } from "../app/words.js";
import { jobPart } from "./job.js";
import { resultPart } from "./result.js";
import { startPart } from "./start.js";

/** @param {HTMLElement} main @param {import("../app/state.js").Project} project */
export function show(main, project) {
  const start = startPart(project);
  const job = jobPart(project);
  const result = resultPart(project);
  fill(
    main,
    el(
      "div",
      { class: "stack loose train" },
      el("div", { class: "stack tight" }, heading(t("train.title")), el("p", { class: "lead soft" }, t("train.lead"))),
      el("div", { class: "card stack" }, start.element, job.element),
      result.element,
    ),
  );
  const look = () => {
    start.element.hidden = isRunning(project.training);
    job.look();
  };
  const ends = [project.on("training", look), project.on("state", start.look), start.end, job.end, result.end];
  start.look();
  look();
  return () => ends.forEach((end) => end());
}
