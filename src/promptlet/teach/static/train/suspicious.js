/** Images that deserve a look, each with its repairs. A repair is one click and can be undone. */
import { button, el, fill } from "../app/dom.js";
import { attempt, toast } from "../app/live.js";
import { has, list, t } from "../app/words.js";
import { sentence } from "./accuracy.js";
import { picture } from "./confusion.js";

const PORTION = 12;

/**
 * @typedef {{kind: string, images: string[], class: string | null, suggested: string | null, words: string}} Finding
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
  const element = el(
    "section",
    { class: "card stack", "aria-labelledby": "suspicious", hidden: true },
    title,
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
    const classOf = project.classOf();
    const open = findings.filter((one) => isOpen(one, classOf) && !kept.has(keyOf(one)));
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
      action: {
        words: t("app.undo"),
        run: () => {
          kept.delete(keyOf(finding));
          look();
        },
      },
    });
  };
  const repair = (/** @type {Record<string, unknown>} */ change, /** @type {string} */ told) =>
    void attempt(async () => {
      await project.change(change);
      toast(told, { action: { words: t("app.undo"), run: () => void attempt(() => project.step("undo")) } });
    });
  const item = (/** @type {Finding} */ finding, /** @type {Map<string, string>} */ classOf) =>
    el(
      "li",
      { class: "finding" },
      el(
        "ul",
        { class: "thumbs", role: "list" },
        present(finding, classOf, project)
          .slice(0, 6)
          .map((id) => el("li", {}, picture(project, id, classOf.get(id) ?? t("train.unlabelled")))),
      ),
      el(
        "div",
        { class: "stack tight grow" },
        el("p", {}, el("strong", {}, kindWords(finding)), " ", said(finding, classOf)),
        el(
          "div",
          { class: "row tight" },
          repairs(project, finding, classOf, repair),
          button(t("train.repair.keep"), () => keep(finding), { class: "small quiet" }),
        ),
      ),
    );
  return {
    element,
    look,
    take: (/** @type {Finding[]} */ found) => {
      findings = found;
      drawn = "";
      look();
    },
  };
}

/** Which item of a list holds the focus, -1 where none does. @param {Element} items */
function placeOf(items) {
  return [...items.children].findIndex((one) => one.contains(document.activeElement));
}

/** Those of its images that are still there. @param {Finding} finding @param {Map<string, string>} classOf @param {Project} project */
function present(finding, classOf, project) {
  return finding.images.filter((id) => classOf.has(id) || project.state.unlabelled.includes(id));
}

/** @param {Finding} finding */
const isAboutCopies = (finding) => /duplicate|copies|two.classes|leak/.test(finding.kind);
const isAboutLabel = (/** @type {Finding} */ finding) => /doubtful/.test(finding.kind);

/** Whether there is still something to repair. @param {Finding} finding @param {Map<string, string>} classOf */
function isOpen(finding, classOf) {
  const there = finding.images.filter((id) => classOf.has(id));
  if (isAboutCopies(finding)) return there.length > 1;
  if (isAboutLabel(finding)) return there.some((id) => classOf.get(id) === finding.class);
  return there.length > 0;
}

/** @param {Finding} finding */
function kindWords({ kind, words }) {
  const key = `train.kind.${kind.replaceAll("_", "-")}`;
  return has(key) ? t(key) : sentence(words);
}

/** @param {Finding} finding @param {Map<string, string>} classOf */
function said(finding, classOf) {
  if (isAboutLabel(finding) && finding.suggested)
    return t("train.said.doubtful", { class: finding.class ?? "", suggested: finding.suggested });
  if (!isAboutCopies(finding)) return finding.class ? t("train.said.in", { class: finding.class }) : "";
  const classes = [...new Set(finding.images.map((id) => classOf.get(id)).filter(Boolean))];
  return t(classes.length > 1 ? "train.said.two" : "train.said.in", { class: list(/** @type {string[]} */ (classes)) });
}

/**
 * The buttons of one finding.
 * @param {Project} project @param {Finding} finding @param {Map<string, string>} classOf
 * @param {(change: Record<string, unknown>, told: string) => void} repair
 */
function repairs(project, finding, classOf, repair) {
  const there = finding.images.filter((id) => classOf.has(id));
  const remove = (/** @type {string[]} */ images) =>
    repair({ action: "remove-images", images }, t("train.repaired.removed", { count: images.length }));
  if (isAboutCopies(finding)) return copies(there, classOf, remove);
  const made = [];
  const { suggested } = finding;
  if (isAboutLabel(finding) && suggested && project.state.classes.some((one) => one.name === suggested)) {
    const move = () =>
      repair(
        { action: "move-images", images: there, to: suggested },
        t("train.repaired.moved", { count: there.length, class: suggested }),
      );
    made.push(button(t("train.repair.move", { class: suggested }), move, { class: "small" }));
  }
  return [...made, button(t("train.repair.remove", { count: there.length }), () => remove(there), { class: "small" })];
}

/** Of copies one stays: in two classes the user says which. @param {string[]} there @param {Map<string, string>} classOf @param {(images: string[]) => void} remove */
function copies(there, classOf, remove) {
  const classes = [...new Set(there.map((id) => classOf.get(id)))];
  if (classes.length < 2)
    return [
      button(t("train.repair.copies", { count: there.length - 1 }), () => remove(there.slice(1)), { class: "small" }),
    ];
  return classes.map((name) => {
    const stays = there.find((id) => classOf.get(id) === name);
    return button(t("train.repair.only", { class: name ?? "" }), () => remove(there.filter((id) => id !== stays)), {
      class: "small",
    });
  });
}

/** @param {Finding} finding */
function keyOf(finding) {
  return `${finding.kind} ${finding.class ?? ""} ${finding.suggested ?? ""} ${finding.images.join(" ")}`;
}

/** What was looked at and kept, remembered by the browser. @param {string} id of the project */
function keptOf(id) {
  const place = `promptlet.kept.${id}`;
  /** @type {string[]} */
  let known = [];
  try {
    known = JSON.parse(localStorage.getItem(place) ?? "[]");
  } catch {
    /* nothing readable is kept */
  }
  const all = new Set(Array.isArray(known) ? known : []);
  const store = () => {
    try {
      localStorage.setItem(place, JSON.stringify([...all].slice(-500)));
    } catch {
      /* then it is asked again next time */
    }
  };
  return {
    has: (/** @type {string} */ key) => all.has(key),
    add: (/** @type {string} */ key) => {
      all.add(key);
      store();
    },
    delete: (/** @type {string} */ key) => {
      all.delete(key);
      store();
    },
  };
}
