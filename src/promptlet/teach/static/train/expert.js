/** The drawer for experts: method, rank, shots, schedule. What is chosen is kept with the project. */
import { el, set } from "../app/dom.js";
import { attempt } from "../app/live.js";
import { t } from "../app/words.js";

/** Those that read features (`methods_there` of the server); a test compares them. */
const METHODS = [
  ["rlp", "RLP"],
  ["coop", "CoOp"],
  ["cocoop", "CoCoOp"],
  ["kgcoop", "KgCoOp"],
  ["dekg", "DeKg"],
  ["prograd", "ProGrad"],
  ["dip_do", "DIP (DO)"],
  ["dip_pp", "DIP (PP)"],
  ["qcoop", "QCoOp"],
  ["clip_adapter", "CLIP-Adapter"],
  ["tip_adapter", "Tip-Adapter"],
  ["tip_adapter_f", "Tip-Adapter-F"],
  ["gda", "GDA"],
  ["zs_lp", "ZS-LP"],
  ["clap", "CLAP"],
  ["lp_pp", "LP++"],
  ["prolip", "RLA (ProLIP)"],
  ["linear_probe", "Linear probe"],
  ["zero_shot", "Zero-shot"],
  ["zero_shot_ensemble", "Zero-shot, templates averaged"],
];
const SCHEDULES = ["fast", "official", "coop", "adamw"];
const RANKED = new Set(["rlp", "kgcoop", "dekg", "prograd", "qcoop"]);

/** @param {import("../app/state.js").Project} project */
export function expertPart(project) {
  const method = choice([["auto", t("train.expert.auto")], ...METHODS]);
  const known = SCHEDULES.map((name) => [name, t(`train.expert.schedule.${name}`)]);
  const schedule = choice([["", t("train.expert.usual")], ...known]);
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
  /** A rank goes with some methods alone. */
  const fit = () => {
    rank.disabled = !RANKED.has(method.value);
    if (rank.disabled) rank.value = "";
  };
  const keep = () => {
    fit();
    const isSound = Object.values(controls).every((control) => control.reportValidity());
    if (isSound) void attempt(() => project.patch({ settings: values() }));
  };
  const look = () => {
    for (const [name, control] of Object.entries(controls)) {
      const kept = project.state.settings[name];
      if (control !== document.activeElement)
        control.value = kept === null || kept === undefined ? (name === "method" ? "auto" : "") : String(kept);
    }
    fit();
    const changed = Object.entries(project.state.settings).some(
      ([name, kept]) => name in controls && kept !== null && kept !== "auto",
    );
    state.textContent = changed ? t("train.expert.changed") : "";
  };
  const state = el("span", { class: "tag" });
  const fields = el(
    "div",
    { class: "grid expert", onchange: keep },
    Object.entries(controls).map(([name, control]) => field(name, control)),
  );
  const element = el(
    "details",
    { class: "drawer" },
    el("summary", {}, t("train.expert.title"), " ", state),
    el("div", { class: "stack" }, el("p", { class: "soft" }, t("train.expert.lead")), fields),
  );
  return { element, look, values, end: () => {} };
}

/** @param {string[][]} named each with its words */
function choice(named) {
  return el(
    "select",
    {},
    named.map(([name, words]) => el("option", { value: name }, words)),
  );
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
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, t(`train.expert.${name}`)),
    control,
    el("p", { class: "hint", id: `${id}-hint` }, t(`train.expert.${name}.hint`)),
  );
}
