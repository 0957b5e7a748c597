/** The lines that do the same without the page, made of its own address and the prompt's name, with buttons that copy. */
import { button, el } from "../app/dom.js";
import { announce } from "../app/live.js";
import { t } from "../app/words.js";

/** @param {import("../app/state.js").Project} project */
export function linesPart(project) {
  const { id, state } = project;
  return el(
    "section",
    { class: "stack", "aria-labelledby": "lines" },
    el("h2", { id: "lines" }, t("take.lines.title")),
    el("p", { class: "soft" }, t("take.lines.lead")),
    el(
      "div",
      { class: "halves" },
      block("curl", curl(id), t("take.curl.words"), t("take.token")),
      block("python", python(id), t("take.python.words"), t("take.python.hint")),
      block(
        "alone",
        alone(id, state.backbone.name),
        t("take.alone.words"),
        t("take.alone.hint", { name: `${id}.prompt` }),
      ),
      block("shell", `promptlet predict ${id}.prompt photo.jpg`, t("take.shell.words"), ""),
    ),
  );
}

/** @param {string} id */
function curl(id) {
  return `curl -H "Authorization: Bearer $TOKEN" -F images=@photo.jpg -F prompts=${id} ${location.origin}/v1/predict`;
}

/** @param {string} id */
function python(id) {
  return [
    "import os",
    "from promptlet.client import Client",
    `print(Client("${location.origin}", os.environ["TOKEN"]).predict("photo.jpg", prompts="${id}"))`,
  ].join("\n");
}

/** @param {string} id @param {string} backbone */
function alone(id, backbone) {
  return [
    "import promptlet as pl",
    `clf = pl.PromptClassifier.load("${id}.prompt", backbone=${JSON.stringify(backbone)})`,
    'print(clf.predict(["photo.jpg"]))',
  ].join("\n");
}

/** @param {string} key @param {string} code @param {string} words @param {string} hint */
function block(key, code, words, hint) {
  const text = el("pre", { tabindex: 0, "aria-label": words }, el("code", {}, code));
  const copy = button(t("take.copy"), () => void copied(), { class: "small", "aria-describedby": `line-${key}` });
  const copied = async () => {
    const isWell = await written(code, text);
    copy.textContent = t(isWell ? "take.copied" : "take.select");
    announce(copy.textContent ?? "");
    window.setTimeout(() => (copy.textContent = t("take.copy")), 2500);
  };
  return el(
    "div",
    { class: "card stack tight" },
    el("div", { class: "spread" }, el("h3", { id: `line-${key}` }, words), copy),
    text,
    hint && el("p", { class: "hint" }, coded(hint)),
  );
}

/** Whether it is in the clipboard; where the browser does not allow that, it is marked. @param {string} code @param {Element} text */
async function written(code, text) {
  try {
    await navigator.clipboard.writeText(code);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(text);
    const selection = getSelection();
    selection?.removeAllRanges();
    selection?.addRange(range);
    return document.execCommand?.("copy") ?? false;
  }
}

/** Words between backquotes are what is typed. @param {string} words */
function coded(words) {
  return words.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));
}
