/** Take away: files to keep, lines that do the same without the page, and what was taken away opened again. */
import { el, fill, heading } from "../app/dom.js";
import { link } from "../app/routes.js";
import { t } from "../app/words.js";
import { filesPart } from "./files.js";
import { linesPart } from "./lines.js";
import { openPart } from "./open.js";

/** @param {HTMLElement} main @param {import("../app/state.js").Project} project */
export function show(main, project) {
  const content = el("div", { class: "stack loose" });
  let isTrained = false;
  const draw = () => {
    isTrained = project.state.trained;
    fill(
      content,
      !isTrained && untrained(project),
      filesPart(project),
      isTrained && linesPart(project),
      openPart(project),
    );
  };
  fill(
    main,
    el(
      "div",
      { class: "stack loose take" },
      el("div", { class: "stack tight" }, heading(t("take.title")), el("p", { class: "lead soft" }, t("take.lead"))),
      content,
    ),
  );
  draw();
  return project.on("state", () => isTrained !== project.state.trained && draw());
}

/** @param {import("../app/state.js").Project} project */
function untrained(project) {
  return el(
    "div",
    { class: "notice" },
    el("p", {}, t("take.untrained")),
    el("a", { class: "button", href: link(project.id, "train") }, t("take.untrained.go")),
  );
}
