/** All text of the page: `t("teach.photos", {count: 3})`. The words lie in words/en and words/de, a file for each view. */
import { de } from "./words/de.js";
import { en } from "./words/en.js";

/** @typedef {string | {one: string, other: string}} Words */

/** @type {Record<string, {name: string, words: Record<string, Words>}>} */
export const LANGUAGES = { en: { name: "English", words: en }, de: { name: "Deutsch", words: de } };
const KEPT = "promptlet.language";

/** @type {string} */
let language = first();
let plurals = new Intl.PluralRules(language);

function first() {
  const wanted = [kept(), ...navigator.languages.map((one) => one.slice(0, 2).toLowerCase())];
  return wanted.find((one) => one && one in LANGUAGES) ?? "en";
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** @returns {string} "en" or "de" */
export function currentLanguage() {
  return language;
}

/** @param {string} wanted a key of LANGUAGES */
export function setLanguage(wanted) {
  language = wanted in LANGUAGES ? wanted : "en";
  plurals = new Intl.PluralRules(language);
  document.documentElement.lang = language;
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    /* a browser that keeps nothing asks again next time */
  }
}

/**
 * The words of a key; `{name}` in them is replaced by values.name. Words with one and other are chosen by values.count.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const words = LANGUAGES[language].words[key] ?? en[key];
  if (words === undefined) {
    console.error(`no words for ${key}`);
    return key;
  }
  const form = typeof words === "string" ? words : chosen(words, Number(values.count));
  return form.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? shown(values[name]) : whole));
}

/**
 * What the server says: by its key in the language of the page, else as it is, which is English. Lists are joined.
 * @param {string | null | undefined} key
 * @param {Record<string, any> | null | undefined} values
 * @param {string} words
 * @returns {{words: string, lang: "en" | null}} lang: of the words, where they may be in another one than the page
 */
export function fromServer(key, values, words) {
  if (!key || !has(`said.${key}`)) return { words, lang: language === "en" ? null : "en" };
  const shownAs = Object.entries(values ?? {}).map(([name, value]) => [name, Array.isArray(value) ? list(value) : value]);
  return { words: t(`said.${key}`, Object.fromEntries(shownAs)), lang: null };
}

/** Whether there are words of a key. @param {string} key */
export function has(key) {
  return key in en;
}

/** @param {{one: string, other: string}} words @param {number} count */
function chosen(words, count) {
  return plurals.select(count) === "one" ? words.one : words.other;
}

/** @param {string | number} value */
function shown(value) {
  return typeof value === "number" ? number(value) : value;
}

/** A number as the language writes it. @param {number} value @param {Intl.NumberFormatOptions} [options] */
export function number(value, options) {
  return new Intl.NumberFormat(language, options).format(value);
}

/** A share 0 to 1 as a percentage. @param {number} share @param {number} [digits] */
export function percent(share, digits = 0) {
  return number(share, { style: "percent", maximumFractionDigits: digits });
}

/** Bytes as people read them. @param {number} bytes */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = bytes < 1 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const digits = step > 1 ? 1 : 0;
  return number(bytes / 1000 ** step, { style: "unit", unit: units[step], maximumFractionDigits: digits });
}

/** How long ago or ahead, in words. @param {number} when seconds since 1970 */
export function ago(when) {
  const seconds = when - Date.now() / 1000;
  const steps = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["day", 86400], ["hour", 3600], ["minute", 60]]);
  const [unit, length] = steps.find(([, one]) => Math.abs(seconds) >= one) ?? ["second", 1];
  const count = unit === "second" ? 0 : Math.round(seconds / length);
  return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(count, unit);
}

/** A list as the language joins it. @param {string[]} items */
export function list(items) {
  return new Intl.ListFormat(language, { type: "conjunction" }).format(items);
}
