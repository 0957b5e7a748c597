/** The drawer for experts: method, rank, shots, schedule. What is chosen is kept with the project. */
import { el, set } from "../app/dom.js";
import { attempt } from "../app/live.js";
import { t } from "../app/words.js";

const SCHEDULES = ["fast", "official"];
/** Those that a server can answer from: none that changes how images are read. */
const METHODS = ["auto", "rlp", "coop", "kgcoop", "prograd", "dip_do", "dip_pp", "qcoop", "tip_adapter", "tip_adapter_f",
  "clip_adapter", "linear_probe", "zero_shot", "zero_shot_ensemble"];

/** @param {import("../app/state.js").Project} project */
export function expertPart(project) {
  const method = choice(METHODS, (name) => (name === "auto" ? t("train.expert.auto") : name));
  const schedule = choice(["", ...SCHEDULES], (name) => (name ? t(`train.expert.schedule.${name}`) : t("train.expert.usual")));
  const rank = whole(1, 64);
  const shots = whole(1, 1024);
  /** @type {Record<string, any>} */
  const controls = { method, rank, shots, schedule };
  const values = () => ({
    method: method.value,
    rank: numberOf(rank),
    shots: numberOf(shots),
    schedule: schedule.value || null,
  });
  const keep = () => {
    const isSound = Object.values(controls).every((control) => control.reportValidity());
    if (isSound) void attempt(() => project.patch({ settings: values() }));
  };
  const look = () => {
    for (const [name, control] of Object.entries(controls)) {
      const kept = project.state.settings[name];
      if (control !== document.activeElement) control.value = kept === null || kept === undefined ? (name === "method" ? "auto" : "") : String(kept);
    }
    const changed = Object.entries(project.state.settings).some(([name, kept]) => name in controls && kept !== null && kept !== "auto");
    state.textContent = changed ? t("train.expert.changed") : "";
  };
  const state = el("span", { class: "tag" });
  const fields = el("div", { class: "grid expert", onchange: keep }, Object.entries(controls).map(([name, control]) => field(name, control)));
  const element = el("details", { class: "drawer" }, el("summary", {}, t("train.expert.title"), " ", state),
    el("div", { class: "stack" }, el("p", { class: "soft" }, t("train.expert.lead")), fields));
  return { element, look, values, end: () => {} };
}

/** @param {string[]} names @param {(name: string) => string} words */
function choice(names, words) {
  return el("select", {}, names.map((name) => el("option", { value: name }, words(name))));
}

/** @param {number} min @param {number} max */
function whole(min, max) {
  return el("input", { type: "number", inputmode: "numeric", min, max, step: 1, placeholder: t("train.expert.usual") });
}

/** @param {HTMLInputElement} control */
function numberOf(control) {
  return control.value === "" ? null : control.valueAsNumber;
}

/** @param {string} name @param {HTMLElement} control */
function field(name, control) {
  const id = `expert-${name}`;
  set(control, { id, "aria-describedby": `${id}-hint` });
  return el("div", { class: "field" }, el("label", { for: id }, t(`train.expert.${name}`)), control,
    el("p", { class: "hint", id: `${id}-hint` }, t(`train.expert.${name}.hint`)));
}
