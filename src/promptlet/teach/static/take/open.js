/** What was taken away, opened again: a prompt file becomes a prompt of the server, a project's zip a project. */
import { Failure, request, send } from "../app/api.js";
import { button, el, set } from "../app/dom.js";
import { attempt, toast } from "../app/live.js";
import { link } from "../app/routes.js";
import { t } from "../app/words.js";
import { openProjectZip } from "./zipped.js";

/** @param {import("../app/state.js").Project} project */
export function openPart(project) {
  const input = el("input", {
    type: "file",
    accept: ".prompt,.zip",
    hidden: true,
    "aria-label": t("take.open.choose"),
    onchange: () => void chosen(),
  });
  const choose = button(t("take.open.choose"), () => input.click());
  const chosen = async () => {
    const [file] = input.files ?? [];
    if (!file) return;
    set(choose, { "aria-busy": "true", disabled: true });
    await attempt(() => open(file, project));
    set(choose, { "aria-busy": null, disabled: false });
    input.value = "";
  };
  return el(
    "section",
    { class: "card stack", "aria-labelledby": "open" },
    el("h2", { id: "open" }, t("take.open.title")),
    el("p", { class: "soft" }, t("take.open.words")),
    el("div", { class: "row" }, choose, input),
  );
}

/** @param {File} file @param {import("../app/state.js").Project} project */
async function open(file, project) {
  if (/\.zip$/i.test(file.name)) {
    const id = await openProjectZip(file);
    location.hash = link(id);
    return;
  }
  if (!/\.prompt$/i.test(file.name)) throw new Failure(t("take.open.neither", { name: file.name }), 0);
  const name = await putPrompt(file);
  const ask = { words: t("take.open.ask"), run: () => (location.hash = link(project.id, "ask")) };
  toast(t("take.open.opened", { name }), { tone: "good", action: ask });
}

/**
 * Under the file's name, or the next that is free: nothing that is there is replaced, not even by two tabs at once.
 * Raises Failure.
 * @param {File} file @returns {Promise<string>} the name
 */
async function putPrompt(file) {
  const name = promptName(file.name);
  const { prompts } = await request("GET", "/v1/prompts");
  const taken = new Set(prompts.map((/** @type {any} */ one) => one.name));
  let place = 1;
  const numbered = () => (place === 1 ? name : `${name}-${place}`);
  while (taken.has(numbered())) place += 1;
  const headers = { "Content-Type": "application/octet-stream", "If-None-Match": "*" };
  await send("PUT", `/v1/prompts/${encodeURIComponent(numbered())}`, { body: file, headers });
  return numbered();
}

/** What the server takes as a name. @param {string} file */
export function promptName(file) {
  const plain = file
    .replace(/\.prompt$/i, "")
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9._-]+/g, "-");
  return plain.replace(/^[^A-Za-z0-9]+/, "").slice(0, 90) || "prompt";
}
