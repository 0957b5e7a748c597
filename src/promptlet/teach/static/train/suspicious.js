/** Images that deserve a look, each with its repairs. A repair is one click and can be undone. */
import { button, el, fill } from "../app/dom.js";
import { attempt, toast } from "../app/live.js";
import { t } from "../app/words.js";
import { told, WAY_BACK } from "../teach/acts.js";
import { historyPart } from "../teach/history.js";
import { isOpen, keyOf, kindWords, present, repairsOf, said } from "./finding.js";
import { keptOf } from "./kept.js";
import { picture } from "./picture.js";

const PORTION = 10;
const PICTURES = 6;

/**
 * @typedef {import("./finding.js").Finding} Finding
 * @typedef {import("../app/state.js").Project} Project
 */

/** @param {Project} project */
export function suspiciousPart(project) {
  const title = el("h2", { id: "suspicious", tabindex: "-1" }, t("train.suspicious.title"));
  const lead = el("p", { class: "soft" });
  const items = el("ul", { class: "halves", role: "list" });
  const more = button(
    t("train.suspicious.more"),
    () => {
      shown += PORTION;
      look();
    },
    { class: "quiet" },
  );
  const history = historyPart(project);
  const element = el(
    "section",
    { class: "card stack", "aria-labelledby": "suspicious", hidden: true },
    el("div", { class: "spread" }, title, history.element),
    lead,
    items,
    more,
  );
  const kept = keptOf(project.id);
  /** @type {Finding[]} */
  let findings = [];
  let shown = PORTION;
  let drawn = "";

  const look = () => {
    history.draw();
    const classOf = project.classOf();
    const open = findings.filter((one) => isOpen(one, classOf, project) && !kept.has(keyOf(one)));
    const now = JSON.stringify([open.map(keyOf), shown]);
    if (now === drawn) return;
    const place = placeOf(items);
    drawn = now;
    element.hidden = findings.length === 0;
    lead.textContent = open.length ? t("train.suspicious.lead", { count: open.length }) : t("train.suspicious.none");
    fill(
      items,
      open.slice(0, shown).map((one) => item(one, classOf)),
    );
    more.hidden = open.length <= shown;
    if (place >= 0)
      (items.children[Math.min(place, items.children.length - 1)]?.querySelector("button") ?? title).focus();
  };
  const keep = (/** @type {Finding} */ finding) => {
    kept.add(keyOf(finding));
    look();
    toast(t("train.suspicious.kept"), {
      key: WAY_BACK,
      action: {
        words: t("app.undo"),
        run: () => {
          kept.delete(keyOf(finding));
          look();
        },
      },
    });
  };
  const repair = (/** @type {import("./finding.js").Repair} */ { change, told: words }) =>
    void attempt(async () => {
      await project.change(change);
      told(project, words, String(change.action));
    });
  const item = (/** @type {Finding} */ finding, /** @type {Map<string, string>} */ classOf) =>
    el(
      "li",
      { class: "finding" },
      thumbs(
        present(finding, classOf, project).map((id) => picture(project, id, classOf.get(id) ?? t("train.unlabelled"))),
      ),
      el(
        "div",
        { class: "stack tight grow" },
        el("p", {}, el("strong", {}, kindWords(finding)), " ", said(finding, classOf)),
        el(
          "div",
          { class: "row tight" },
          repairsOf(project, finding, classOf).map((one) => button(one.words, () => repair(one), { class: "small" })),
          button(t("train.repair.keep"), () => keep(finding), { class: "small quiet" }),
        ),
      ),
    );
  return {
    element,
    look,
    end: history.end,
    take: (/** @type {Finding[]} */ found) => {
      findings = found;
      drawn = "";
      look();
    },
  };
}

/** @param {Node[]} pictures */
function thumbs(pictures) {
  const shown = pictures.slice(0, PICTURES).map((one) => el("li", {}, one));
  return shown.length > 0 && el("ul", { class: "thumbs", role: "list" }, shown);
}

/** Which item of a list holds the focus, -1 where none does. @param {Element} items */
function placeOf(items) {
  return [...items.children].findIndex((one) => one.contains(document.activeElement));
}
