/** The button that trains, what it would train on, and the drawer for experts. */
import { address, request } from "../app/api.js";
import { button, el, fill, set } from "../app/dom.js";
import { attempt } from "../app/live.js";
import { link } from "../app/routes.js";
import { t } from "../app/words.js";
import { expertPart } from "./expert.js";

/** @param {import("../app/state.js").Project} project */
export function startPart(project) {
  const expert = expertPart(project);
  const words = el("p", { id: "train-why-not" });
  const go = button("", () => void train(), { class: "primary big", "aria-describedby": "train-why-not" });
  const train = async () => {
    if (missing(project)) {
      words.focus();
      return;
    }
    set(go, { "aria-busy": "true" });
    await attempt(async () =>
      project.setTraining(await request("POST", address(project.id, "/training"), { json: expert.values() })),
    );
    set(go, { "aria-busy": null });
  };
  const look = () => {
    const lacks = missing(project);
    go.textContent = t(project.state.trained ? "train.again" : "train.now");
    set(go, { "aria-disabled": lacks ? "true" : null });
    set(words, { tabindex: lacks ? "-1" : null, class: lacks ? "" : "soft" });
    fill(
      words,
      lacks || counted(project),
      lacks && [" ", el("a", { href: link(project.id, "teach") }, t("train.to-teach"))],
    );
    expert.look();
  };
  return {
    element: el("div", { class: "stack" }, el("div", { class: "row" }, go, words), expert.element),
    look,
    end: expert.end,
  };
}

/** What keeps it from training, "" where nothing does. @param {import("../app/state.js").Project} project */
function missing(project) {
  const filled = project.state.classes.filter((one) => one.images.length > 0);
  if (filled.length === 0) return t("train.no-images");
  return filled.length === 1 ? t("train.one-class", { class: filled[0].name }) : "";
}

/** @param {import("../app/state.js").Project} project */
function counted(project) {
  const filled = project.state.classes.filter((one) => one.images.length > 0);
  const images = filled.reduce((sum, one) => sum + one.images.length, 0);
  const classes = t("train.classes", { count: filled.length });
  const few = filled.filter((one) => one.images.length < 2).length;
  return t(few ? "train.on-few" : "train.on", { images: t("train.images", { count: images }), classes });
}
