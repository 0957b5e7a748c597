/** A taught photo, small; it opens whole. */
import { imageAddress, thumbnailAddress } from "../app/api.js";
import { el } from "../app/dom.js";
import { t } from "../app/words.js";

/**
 * @param {import("../app/state.js").Project} project @param {string} id @param {string} name of its class
 */
export function picture(project, id, name) {
  const words = t("train.picture", { class: name, file: project.state.names[id] ?? id });
  const open = { href: imageAddress(project.id, id), target: "_blank", rel: "noopener" };
  return el(
    "a",
    open,
    el("img", {
      class: "thumb",
      src: thumbnailAddress(project.id, id),
      alt: words,
      title: words,
      loading: "lazy",
      width: 96,
      height: 96,
    }),
  );
}
