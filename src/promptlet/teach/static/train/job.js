/** A training while it runs, and how the last one ended where it did not end well. */
import { address, request } from "../app/api.js";
import { button, el, fill, set } from "../app/dom.js";
import { announce, announceProgress, attempt } from "../app/live.js";
import { isRunning } from "../app/state.js";
import { fromServer, has, t } from "../app/words.js";

/** @typedef {import("../app/state.js").Job} Job */

/** @param {import("../app/state.js").Project} project */
export function jobPart(project) {
  const stage = el("p", { class: "lead", id: "train-stage" });
  const bar = el("progress", { "aria-labelledby": "train-stage", max: 1 });
  const left = el("p", { class: "soft number" });
  const stop = button(t("train.cancel"), () => void cancel());
  const steps = el("ol", { class: "steps", role: "list", "aria-label": t("train.steps") });
  const running = el(
    "div",
    { class: "stack", hidden: true },
    el("div", { class: "spread" }, stage, stop),
    bar,
    left,
    steps,
  );
  const ended = el("div", {});
  /** @type {string | null} */
  let before = project.training?.state ?? null;
  let wasSeen = false;

  const cancel = async () => {
    if (stop.getAttribute("aria-disabled")) return;
    set(stop, { "aria-disabled": "true" });
    await attempt(async () => {
      const job = await request("DELETE", address(project.id, "/training"));
      if (job) project.setTraining(job);
    });
    set(stop, { "aria-disabled": null });
  };
  const look = () => {
    const job = project.training;
    const runs = isRunning(job);
    const hadFocus = running.contains(document.activeElement);
    running.hidden = !runs;
    if (job && runs) showJob(job);
    wasSeen ||= runs;
    fill(ended, !runs && job && endOf(job, wasSeen));
    element.hidden = !runs && !ended.firstChild;
    if (hadFocus && !runs) element.closest(".card")?.querySelector("button")?.focus();
    tellEnd(before, job);
    before = job?.state ?? null;
  };
  const showJob = (/** @type {Job} */ job) => {
    const words = stageWords(job);
    if (stage.textContent !== words) stage.textContent = words;
    const isCounted = job.state === "running" && job.total > 0;
    if (isCounted) set(bar, { value: Math.min(job.done / job.total, 1) });
    else bar.removeAttribute("value");
    fill(left, timeLeft(job));
    fill(steps, stagesOf(job));
    announceProgress(
      isCounted ? t("train.progress", { stage: words, percent: Math.round((100 * job.done) / job.total) }) : words,
    );
  };
  const element = el("div", {}, running, ended);
  return { element, look, end: () => {} };
}

/** @param {Job} job */
function stageWords(job) {
  if (job.state === "waiting") return t("train.waiting");
  const key = `train.stage.${job.stage}`;
  return has(key) ? t(key) : t("train.stage.training");
}

const ORDER = ["looking", "encoding", "choosing", "training", "estimating", "checking", "saving"];

/** Where it stands among all steps. @param {Job} job */
function stagesOf(job) {
  const now = job.state === "waiting" ? -1 : ORDER.indexOf(job.stage);
  return ORDER.map((name, place) =>
    el(
      "li",
      {
        class: place < now ? "done" : place === now ? "now" : "",
        "aria-current": place === now ? "step" : null,
      },
      t(`train.step.${name}`),
    ),
  );
}

/** @param {Job} job */
function timeLeft(job) {
  const spent = t("train.spent", { time: seconds(job.seconds) });
  if (job.seconds_left === null || job.seconds_left === undefined) return spent;
  return `${spent} · ${t("train.left", { time: seconds(job.seconds_left) })}`;
}

/** @param {number} count */
export function seconds(count) {
  if (count < 90) return t("train.seconds", { count: Math.round(count) });
  return t("train.minutes", { count: Math.round(count / 60) });
}

/** @param {Job} job @param {boolean} wasSeen whether it ran before the eyes of the user */
function endOf(job, wasSeen) {
  if (job.state === "cancelled" && wasSeen) return el("div", { class: "notice" }, el("p", {}, t("train.cancelled")));
  if (job.state !== "failed") return null;
  return el(
    "div",
    { class: "notice bad" },
    el(
      "div",
      { class: "stack tight" },
      el("p", {}, el("strong", {}, t("train.failed"))),
      el("p", { lang: errorOf(job).lang }, errorOf(job).words),
      el("p", {}, t("train.failed-kept")),
    ),
  );
}

/** @param {Job} job */
function errorOf({ error, error_key: key, error_values: values }) {
  return fromServer(key, values, error ?? "");
}

/** Told once, when a training that was seen running ends. @param {string | null} before @param {Job | null} job */
function tellEnd(before, job) {
  if (!job || isRunning(job) || (before !== "running" && before !== "waiting")) return;
  if (job.state === "done") announce(t("train.done"));
  else announce(job.state === "failed" ? `${t("train.failed")} ${errorOf(job).words}` : t("train.cancelled"));
}
