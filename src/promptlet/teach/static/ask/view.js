/** Ask: a picture comes in, what it may be comes out, and why. */
import { wordsOf } from "../app/api.js";
import { el, fill, heading } from "../app/dom.js";
import { link } from "../app/routes.js";
import { t } from "../app/words.js";
import { answersPart } from "./answers.js";
import { Asking } from "./asking.js";
import { comparePart } from "./compare.js";
import { namesPart } from "./names.js";
import { nearestPart } from "./nearest.js";
import { nonePart } from "./none.js";
import { picturePart } from "./picture.js";

/** @param {HTMLElement} main @param {import("../app/state.js").Project} project */
export function show(main, project) {
  const problem = el("div", { role: "status" });
  const head = el(
    "div",
    { class: "stack tight" },
    heading(t("ask.title")),
    el("p", { class: "lead soft" }, t("ask.lead")),
    problem,
  );
  if (!project.state.trained) {
    fill(main, el("div", { class: "stack loose" }, head, nothingLearned(project)));
    const end = project.on("state", () => {
      if (!project.state.trained) return;
      end();
      inner = show(main, project);
    });
    let inner = end;
    return () => inner();
  }
  const asking = new Asking(project);
  const picture = picturePart(asking, main);
  const answers = answersPart(asking);
  /** @type {{element: HTMLElement, look: (topic: any) => void, end?: () => void}[]} */
  const parts = [picture, answers, nearestPart(asking), namesPart(asking), nonePart(asking), comparePart(asking)];
  asking.on((topic) => parts.forEach((part) => part.look(topic)));
  fill(
    main,
    el(
      "div",
      { class: "stack loose" },
      head,
      stale(project),
      el(
        "div",
        { class: "asking" },
        el("div", { class: "stack" }, picture.element),
        el("div", { class: "stack" }, answers.element, parts[2].element),
      ),
      el(
        "div",
        { class: "grid settings" },
        parts.slice(3).map((part) => part.element),
      ),
    ),
  );
  asking.load().catch((error) => fill(problem, el("div", { class: "notice bad" }, el("p", {}, wordsOf(error)))));
  parts.forEach((part) => part.look("settings"));
  return () => {
    parts.forEach((part) => part.end?.());
    asking.end();
  };
}

/** @param {import("../app/state.js").Project} project */
function nothingLearned(project) {
  return el(
    "div",
    { class: "card empty" },
    el("h2", {}, t("ask.untrained.title")),
    el("p", {}, t("ask.untrained.words")),
    el("a", { class: "button primary", href: link(project.id, "train") }, t("ask.untrained.go")),
  );
}

/** @param {import("../app/state.js").Project} project */
function stale(project) {
  return (
    project.state.stale &&
    el("p", { class: "soft" }, t("ask.stale"), " ", el("a", { href: link(project.id, "train") }, t("ask.stale.go")))
  );
}
