/** One image, large: to see what is on it. */
import { imageAddress } from "../app/api.js";
import { openDialog } from "../app/dialogs.js";
import { button, el } from "../app/dom.js";
import { t } from "../app/words.js";
import { nameOf } from "./acts.js";

/** The words that stand for an image: its class and the name of its file. @param {import("../app/state.js").Project} project @param {string} image */
export function imageWords(project, image) {
  const name = project.state.names[image] ?? image;
  const own = project.state.classes.find((one) => one.images.includes(image));
  return t("teach.image", { class: nameOf(own?.name ?? null), name });
}

/** @param {import("../app/state.js").Project} project @param {string} image */
export function lookAt(project, image) {
  const words = imageWords(project, image);
  return openDialog(words, (close) => [
    el("img", { src: imageAddress(project.id, image), alt: words, class: "large-image" }),
    el("div", { class: "actions" }, button(t("app.close"), () => close(null), { autofocus: true })),
  ], { wide: true });
}
