/** The ways in which images come: files, a folder, the camera, the clipboard. */
import { button, el } from "../app/dom.js";
import { toast } from "../app/live.js";
import { t } from "../app/words.js";
import { chosen, dropped } from "../upload/found.js";
import { isTyping } from "./history.js";

const ACCEPTED = "image/*,.heic,.heif,.tif,.tiff,.jp2,.ppm,.zip,application/zip";

/**
 * Buttons that ask for files, a folder, or the camera.
 * @param {(found: import("../upload/found.js").Found[]) => void} take
 * @param {() => void} openCamera
 * @param {boolean} [isFirst] the one thing to do now
 */
export function givingButtons(take, openCamera, isFirst = false) {
  const files = picker({ multiple: true, accept: ACCEPTED }, take, t("teach.give.files"));
  const folder = picker({ webkitdirectory: true, multiple: true }, take, t("teach.give.folder"));
  return el("div", { class: "row tight giving" },
    files, button(t("teach.give.files"), () => files.click(), { class: isFirst ? "primary" : null }),
    folder, button(t("teach.give.folder"), () => folder.click()),
    button(t("teach.give.camera"), openCamera));
}

/** A hidden input: its button opens it. @param {Record<string, unknown>} props @param {(found: import("../upload/found.js").Found[]) => void} take @param {string} label */
function picker(props, take, label) {
  const input = el("input", {
    type: "file", hidden: true, "aria-label": label, ...props,
    onchange: () => {
      take(chosen(/** @type {FileList} */ (input.files)));
      input.value = "";
    },
  });
  return input;
}

/**
 * Images that are pasted: from the clipboard, or copied in a file manager.
 * @param {(found: import("../upload/found.js").Found[]) => void} take
 * @returns {() => void} ends it
 */
export function watchPaste(take) {
  const paste = (/** @type {ClipboardEvent} */ event) => {
    if (isTyping(/** @type {any} */ (event)) || document.querySelector("dialog[open]") || !event.clipboardData) return;
    const hasFiles = [...event.clipboardData.items].some((item) => item.kind === "file");
    if (!hasFiles) return void toast(t("teach.give.no-paste"));
    event.preventDefault();
    void dropped(event.clipboardData).then((found) => take(found.map(named)));
  };
  document.addEventListener("paste", paste);
  return () => document.removeEventListener("paste", paste);
}

/** Pictures of the clipboard are all called image.png. @param {import("../upload/found.js").Found} found */
function named(found) {
  if (!/^image\.\w+$/.test(found.path)) return found;
  const time = new Date().toISOString().slice(0, 19).replace(/[-:T]/g, "");
  return { ...found, path: `${t("teach.give.pasted")}-${time}.${found.path.split(".").pop()}` };
}
