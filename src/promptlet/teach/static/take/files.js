/** What can be downloaded, and what each is good for. */
import { address, send } from "../app/api.js";
import { button, el, set } from "../app/dom.js";
import { announce, attempt } from "../app/live.js";
import { t } from "../app/words.js";

/** @typedef {{key: string, path: string, end: string, needsTraining?: boolean}} Kind end: of the file's name */

/** @type {Kind[]} */
const KINDS = [
  { key: "prompt", path: "/prompt", end: ".prompt", needsTraining: true },
  { key: "archive", path: "/archive", end: ".zip" },
  { key: "report", path: "/report", end: ".html", needsTraining: true },
  { key: "vectors", path: "/export?to=vectors", end: ".npz", needsTraining: true },
  { key: "onnx", path: "/export?to=onnx", end: "-onnx.zip", needsTraining: true },
];

/** @param {import("../app/state.js").Project} project */
export function filesPart(project) {
  const kinds = KINDS.filter((kind) => project.state.trained || !kind.needsTraining);
  return el(
    "section",
    { class: "stack", "aria-labelledby": "files" },
    el("h2", { id: "files" }, t("take.files.title")),
    el(
      "ul",
      { class: "grid files", role: "list" },
      kinds.map((kind) => card(project, kind)),
    ),
  );
}

/** @param {import("../app/state.js").Project} project @param {Kind} kind */
function card(project, kind) {
  const title = t(`take.${kind.key}.title`);
  return el(
    "li",
    { class: "card stack file" },
    el("h3", {}, title),
    el("p", { class: "soft grow" }, t(`take.${kind.key}.words`)),
    kind.key === "archive" ? streamed(project, kind, title) : fetched(project, kind, title),
  );
}

/** It may be as large as all photos: the browser writes it to the disk as it comes. @param {import("../app/state.js").Project} project @param {Kind} kind @param {string} title */
function streamed(project, kind, title) {
  const href = address(project.id, kind.path);
  return el("a", { class: "button", href, download: `${project.id}${kind.end}` }, t("take.download"), hidden(title));
}

/** Fetched first, so that what goes wrong is told in words. @param {import("../app/state.js").Project} project @param {Kind} kind @param {string} title */
function fetched(project, kind, title) {
  const made = button(t("take.download"), () => void get(), kind.key === "prompt" ? { class: "primary" } : {});
  made.append(hidden(title));
  const get = async () => {
    if (made.getAttribute("aria-busy")) return;
    set(made, { "aria-busy": "true", "aria-disabled": "true" });
    announce(t("take.making", { title }));
    await attempt(async () => {
      const response = await send("GET", address(project.id, kind.path), { headers: { Accept: "*/*" } });
      save(await response.blob(), nameOf(response) ?? `${project.id}${kind.end}`);
      announce(t("take.made", { title }));
    });
    set(made, { "aria-busy": null, "aria-disabled": null });
  };
  return made;
}

/** @param {string} title */
function hidden(title) {
  return el("span", { class: "hidden" }, ` ${title}`);
}

/** The name that the server gives a download. @param {Response} response */
function nameOf(response) {
  const told = response.headers.get("Content-Disposition") ?? "";
  const [, coded] = /filename\*=UTF-8''([^;]+)/i.exec(told) ?? [];
  const [, plain] = /filename="([^"]+)"/i.exec(told) ?? [];
  try {
    return coded ? decodeURIComponent(coded) : plain;
  } catch {
    return plain;
  }
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const href = URL.createObjectURL(blob);
  const link = el("a", { href, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  window.setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
