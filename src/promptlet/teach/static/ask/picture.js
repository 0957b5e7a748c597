/** Where pictures come in: dropped, pasted, chosen, filmed. */
import { button, el, fill, set } from "../app/dom.js";
import { toast } from "../app/live.js";
import { t } from "../app/words.js";
import { dimensions } from "../pictures/dimensions.js";
import { shrunk } from "../pictures/shrink.js";
import { filmPart } from "./film.js";

/** @typedef {import("./asking.js").Asking} Asking */

const MOST_PICTURES = 24;
const MOST_BYTES = 8 * 1024 * 1024;
const MOST_PIXELS = 24_000_000;

/** @param {Asking} asking @param {HTMLElement} main everything may be dropped on */
export function picturePart(asking, main) {
  const take = (/** @type {Iterable<File> | null | undefined} */ files) => {
    const all = [...(files ?? [])];
    const pictures = all
      .filter((file) => file.type.startsWith("image/") || !file.type)
      .filter((file) => !isDrawing(file));
    if (all.some(isDrawing)) toast(t("ask.no-svg"), { tone: "warn" });
    else if (all.length && !pictures.length) toast(t("ask.no-picture", { name: all[0].name }), { tone: "warn" });
    if (pictures.length) void add(pictures);
  };
  const add = async (/** @type {File[]} */ files) => {
    film.stop();
    const some = files.slice(0, MOST_PICTURES);
    if (some.length < files.length) toast(t("ask.too-many", { count: files.length - some.length }), { tone: "warn" });
    const size = asking.project.state.backbone.input_size;
    const given = some.map(async (file) => ({ blob: await fitting(file, size), name: file.name || t("ask.pasted") }));
    asking.add(await Promise.all(given));
  };
  const film = filmPart(asking);
  const input = el("input", {
    type: "file",
    accept: "image/*,.heic,.heif",
    multiple: true,
    hidden: true,
    "aria-label": t("ask.choose"),
    onchange: () => {
      take(input.files);
      input.value = "";
    },
  });
  const preview = el("div", { class: "preview" });
  const strip = el("ul", { class: "thumbs strip", role: "list", "aria-label": t("ask.pictures") });
  const clear = button(t("ask.clear"), () => asking.clear(), { class: "quiet small" });
  const choose = button(t("ask.choose"), () => input.click(), { class: "primary" });
  const drop = el(
    "div",
    { class: "drop" },
    el("p", {}, el("strong", {}, t("ask.drop"))),
    el("div", { class: "row" }, choose, film.opener),
    el("p", { class: "hint" }, t("ask.paste")),
    input,
  );
  const element = el(
    "section",
    { class: "card stack", "aria-label": t("ask.picture") },
    film.element,
    preview,
    drop,
    strip,
    clear,
  );
  const end = follow(main, drop, take);

  const look = () => {
    const { chosen, pictures } = asking;
    preview.hidden = !chosen || film.isOn();
    if (chosen) showPreview(preview, chosen);
    set(drop, { class: pictures.length || film.isOn() ? "drop slim" : "drop" });
    set(choose, { class: film.isOn() ? "" : "primary" });
    strip.hidden = pictures.length < 2;
    clear.hidden = pictures.length === 0;
    showStrip(strip, asking);
  };
  return {
    element,
    look,
    end: () => {
      end();
      film.stop();
    },
  };
}

/** As it is, so that it is answered as anywhere else; smaller where it would be much to send. @param {File} file @param {number} size */
async function fitting(file, size) {
  const found = await dimensions(file);
  const isLarge = file.size > MOST_BYTES || (found !== null && found.width * found.height > MOST_PIXELS);
  return isLarge ? shrunk(file, size) : file;
}

/** @param {File} file */
function isDrawing(file) {
  return file.type === "image/svg+xml" || /\.svgz?$/i.test(file.name);
}

/** Drops and pastes anywhere in the view. @param {HTMLElement} main @param {Element} drop @param {(files: any) => void} take */
function follow(main, drop, take) {
  const aborting = new AbortController();
  const { signal } = aborting;
  main.addEventListener(
    "dragover",
    (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.add("over");
    },
    { signal },
  );
  main.addEventListener(
    "dragleave",
    (event) => {
      if (!main.contains(/** @type {Node | null} */ (event.relatedTarget))) drop.classList.remove("over");
    },
    { signal },
  );
  main.addEventListener(
    "drop",
    (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      take(event.dataTransfer?.files);
    },
    { signal },
  );
  document.addEventListener(
    "paste",
    (event) => {
      const files = event.clipboardData?.files;
      if (!files?.length) return;
      event.preventDefault();
      take(files);
    },
    { signal },
  );
  return () => aborting.abort();
}

/** @param {Element} preview @param {import("./asking.js").Picture} picture */
function showPreview(preview, picture) {
  if (preview.firstElementChild?.getAttribute("src") === picture.url) return;
  const unseen = () => fill(preview, el("p", { class: "blank" }, t("ask.no-preview", { name: picture.name })));
  fill(preview, el("img", { src: picture.url, alt: t("ask.alt", { name: picture.name }), onerror: unseen }));
}

/** @param {Element} strip @param {Asking} asking */
function showStrip(strip, asking) {
  const place = [...strip.children].findIndex((one) => one.contains(document.activeElement));
  fill(
    strip,
    asking.pictures.map((picture) => {
      const said = picture.error ? t("ask.failed") : picture.answers ? answerOf(picture) : "…";
      return el(
        "li",
        {},
        el(
          "button",
          {
            type: "button",
            class: "picked",
            "aria-pressed": String(picture === asking.chosen),
            onclick: () => asking.choose(picture),
          },
          el("img", { class: "thumb", src: picture.url, alt: picture.name, width: 72, height: 72 }),
          el("span", {}, said),
        ),
      );
    }),
  );
  if (place >= 0) strip.children[place]?.querySelector("button")?.focus();
}

/** @param {import("./asking.js").Picture} picture */
function answerOf(picture) {
  const first = picture.answers?.[0];
  return first?.error ? t("ask.failed") : (first?.class_name ?? t("ask.none.answer"));
}
