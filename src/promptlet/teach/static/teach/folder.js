/** A folder that came by itself: what it is, is asked. */
import { openDialog } from "../app/dialogs.js";
import { button, el } from "../app/dom.js";
import { t } from "../app/words.js";

/** Whether a folder is a class of its own. @param {string} name @param {string | null} shown @returns {Promise<"class" | "shown" | null>} */
export function askFolder(name, shown) {
  return openDialog(t("teach.folder.title", { name }), (/** @type {(answer: "class" | "shown" | null) => void} */ close) => [
    el("p", {}, t("teach.folder.words")),
    el("div", { class: "actions" },
      button(t("app.cancel"), () => close(null)),
      button(shown === null ? t("teach.folder.unlabelled") : t("teach.folder.shown", { class: shown }), () => close("shown")),
      button(t("teach.folder.class", { name }), () => close("class"), { class: "primary", autofocus: true })),
  ]);
}
