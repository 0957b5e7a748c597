/** How good it is, in words first, then as bars beside the class names alone and guessing. */
import { bar, interval } from "../charts/bar.js";
import { el } from "../app/dom.js";
import { ago, currentLanguage, fromServer, has, list, number, percent, size, t } from "../app/words.js";
import { seconds } from "./job.js";

const MOST_ADVICE = 4;

/** @param {any} result */
export function accuracyCard(result) {
  const { accuracy } = result;
  const isKnown = typeof accuracy?.percent === "number";
  return el(
    "section",
    { class: "card stack", "aria-labelledby": "accuracy" },
    el("h2", { id: "accuracy" }, t("train.accuracy.title")),
    isKnown ? el("div", { class: "halves" }, sentences(result), bars(result)) : unknown(accuracy),
    (result.notes ?? []).length > 0 && notes(result.notes),
    el("hr"),
    why(result),
    el("p", { class: "soft small-print" }, facts(result)),
  );
}

/** @param {any} result */
function sentences({ accuracy, advice }) {
  const words = el(
    "div",
    { class: "stack tight" },
    el("p", { class: "headline" }, inTens(accuracy)),
    el("p", {}, between(accuracy), " ", advised(advice ?? [])),
    el("p", { class: "soft" }, measured(accuracy)),
  );
  return words;
}

/** About how many of ten, of a hundred where ten are too coarse. @param {any} accuracy */
export function inTens(accuracy) {
  const whole = Math.round(accuracy.percent);
  if (whole >= 100) return t("train.accuracy.all");
  if (whole >= 95 || whole <= 5) return t("train.accuracy.hundred", { count: whole });
  return t("train.accuracy.ten", { count: accuracy.of_ten ?? Math.round(accuracy.percent / 10) });
}

/** @param {any} accuracy */
function between({ low, high }) {
  if (typeof low !== "number" || typeof high !== "number") return "";
  return t("train.accuracy.between", { low: Math.round(low), high: Math.round(high) });
}

/** @param {any[]} advice */
function advised(advice) {
  const wanted = advice.filter((one) => one.kind === "add-photos").slice(0, MOST_ADVICE);
  if (!wanted.length) return "";
  const classes = list(wanted.map((one) => one.class));
  const counts = new Set(wanted.map((one) => one.count));
  if (counts.size > 1) return t("train.accuracy.add", { classes });
  return t("train.accuracy.add-each", { classes, count: wanted[0].count });
}

/** @param {any} accuracy */
function measured({ images, way }) {
  const key = `train.way.${way}`;
  return has(key) ? t(key, { count: images }) : t("train.way.cv", { count: images });
}

/** @param {any} accuracy */
function unknown(accuracy) {
  const reason = fromServer(accuracy?.reason_key, accuracy?.reason_values, accuracy?.reason ?? "");
  return el(
    "div",
    { class: "stack tight" },
    el("p", { class: "headline" }, t("train.accuracy.unknown")),
    accuracy?.reason && el("p", { lang: reason.lang }, sentence(reason.words)),
    el("p", { class: "soft" }, t("train.accuracy.unknown-next")),
  );
}

/** @param {any} result */
function bars({ accuracy, zero_shot: names, chance }) {
  const own = accuracy.percent / 100;
  const spread = typeof accuracy.low === "number" ? interval(own, accuracy.low / 100, accuracy.high / 100) : bar(own);
  const told =
    typeof accuracy.low === "number"
      ? t("train.bars.interval", {
          percent: percent(own),
          low: percent(accuracy.low / 100),
          high: percent(accuracy.high / 100),
        })
      : percent(own);
  return el(
    "ul",
    { class: "bars", role: "list", "aria-label": t("train.bars.title") },
    line(t("train.bars.own"), spread, told),
    typeof names === "number" && line(t("train.bars.names"), bar(names / 100, "second"), percent(names / 100)),
    typeof chance === "number" && line(t("train.bars.chance"), bar(chance / 100, "second"), percent(chance / 100)),
  );
}

/** @param {string} name @param {Node} drawn @param {string} told */
function line(name, drawn, told) {
  return el("li", {}, el("span", {}, name), drawn, el("span", { class: "number" }, told));
}

/** @param {{words: string, key: string, values: Record<string, any>}[]} told */
function notes(told) {
  const all = told.map((note) => fromServer(note.key, note.values, note.words));
  return el(
    "ul",
    { class: "stack tight" },
    all.map(({ words, lang }) => el("li", { lang }, sentence(words))),
  );
}

/** @param {any} result */
function why(result) {
  const key = `train.why.${result.why_key}`;
  const isOurs = has(key);
  const words = isOurs ? t(key, { ...result.why_values, method: result.method }) : sentence(result.why ?? "");
  return el(
    "p",
    { lang: isOurs || currentLanguage() === "en" ? null : "en" },
    el("strong", {}, t("train.why")),
    " ",
    words,
  );
}

/** @param {string} words */
export function sentence(words) {
  const whole = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(whole) || !whole ? whole : `${whole}.`;
}

/** @param {any} result */
function facts(result) {
  const parts = [
    result.trained_at && t("train.facts.when", { ago: ago(when(result.trained_at)) }),
    typeof result.seconds === "number" && t("train.facts.took", { time: seconds(result.seconds) }),
    typeof result.numbers === "number" &&
      t("train.facts.numbers", { count: result.numbers, number: number(result.numbers) }),
    typeof result.bytes === "number" && t("train.facts.bytes", { size: size(result.bytes) }),
  ];
  return parts.filter(Boolean).join(" · ");
}

/** @param {number | string} told seconds since 1970, or a date */
function when(told) {
  return typeof told === "number" ? told : Date.parse(told) / 1000;
}
