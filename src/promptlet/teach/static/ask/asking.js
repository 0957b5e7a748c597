/** What is asked, and what is answered: pictures, names never taught, how strict, which prompts. */
import { address, onConnection, request } from "../app/api.js";
import { fromServer } from "../app/words.js";

/**
 * @typedef {{class_name: string, probability: number}} Likely
 * @typedef {{prompt: string, class_name: string | null, top: Likely[], error?: string}} Answer
 * @typedef {{blob: Blob, name: string, url: string, answers: Answer[] | null, error: string}} Picture
 * @typedef {{share_own: number, threshold: number}} Point
 * @typedef {"pictures" | "answers" | "settings"} Topic
 */

const MOST_PICTURES = 24;
const MOST_TOLD = 200;

export class Asking {
  /** @param {import("../app/state.js").Project} project */
  constructor(project) {
    this.project = project;
    /** @type {Picture[]} */
    this.pictures = [];
    /** @type {Picture | null} */
    this.chosen = null;
    /** Of the camera, while it is on. @type {{answers: Answer[], error: string} | null} */
    this.film = null;
    /** Names that were never taught. @type {string[]} */
    this.names = [];
    /** Another prompt of the server that is asked, too. @type {string} */
    this.other = "";
    /** Which percentage of own images is to pass; null: "none of these" is never said. @type {number | null} */
    this.share = null;
    /** @type {Point[]} */
    this.points = [];
    this.canNames = true;
    /** The class names of prompts. @type {Map<string, string[]>} */
    this.taught = new Map();
    /** @type {Set<(topic: Topic) => void>} */
    this.listeners = new Set();
    this.isEnded = false;
    this.aborting = new AbortController();
    this.endWatch = onConnection((now) => now === "online" && this.askAgain());
  }

  /** @param {(topic: Topic) => void} listener */
  on(listener) {
    this.listeners.add(listener);
  }

  /** @param {Topic} topic */
  tell(topic) {
    for (const listener of this.listeners) listener(topic);
  }

  /** Learns what the prompt can answer. Raises Failure. */
  async load() {
    const [result, facts] = await Promise.all([this.result(), this.learnNames(this.project.id)]);
    const shares = facts.rejection_shares ?? [];
    const even = shares.map((/** @type {number} */ share) => ({ share_own: share, threshold: -share }));
    this.points = result?.rejection?.points ?? even;
    this.canNames = result?.new_names ?? facts.takes_other_names ?? true;
    this.tell("settings");
  }

  /** Of the last training; null of a prompt that was opened from a file. @returns {Promise<any>} */
  result() {
    return request("GET", address(this.project.id, "/result")).catch(() => null);
  }

  /** What is known of a prompt, its class names among it. Raises Failure. @param {string} prompt */
  async learnNames(prompt) {
    const facts = await request("GET", `/v1/prompts/${encodeURIComponent(prompt)}`);
    this.taught.set(prompt, facts.class_names ?? []);
    return facts;
  }

  /** The names that its own prompt was taught. */
  get own() {
    return this.taught.get(this.project.id) ?? [];
  }

  /** @param {{blob: Blob, name: string}[]} given shown before those that are there; the oldest go */
  add(given) {
    if (this.isEnded) return;
    const made = given.map(({ blob, name }) => ({
      blob,
      name,
      url: URL.createObjectURL(blob),
      answers: null,
      error: "",
    }));
    this.pictures = [...made, ...this.pictures];
    for (const old of this.pictures.splice(MOST_PICTURES)) URL.revokeObjectURL(old.url);
    this.chosen = made[0] ?? this.chosen;
    this.tell("pictures");
    void this.askAll();
  }

  /** @param {Picture} picture */
  choose(picture) {
    this.chosen = picture;
    this.tell("pictures");
    this.tell("answers");
  }

  clear() {
    this.aborting.abort();
    for (const picture of this.pictures) URL.revokeObjectURL(picture.url);
    this.pictures = [];
    this.chosen = null;
    this.tell("pictures");
    this.tell("answers");
  }

  /** Something of what is asked is other than before: names, how strict, which prompts. */
  changed() {
    for (const picture of this.pictures) picture.answers = null;
    this.tell("settings");
    void this.askAll();
  }

  /** What had no answer for want of a server is asked once it is back. */
  askAgain() {
    const failed = this.pictures.filter((one) => one.error);
    for (const picture of failed) picture.answers = null;
    if (failed.length) void this.askAll();
  }

  /** Asks for all pictures that have no answer, the chosen one first; what was asked before is dropped. */
  async askAll() {
    this.aborting.abort();
    this.aborting = new AbortController();
    const { signal } = this.aborting;
    const waiting = this.pictures.filter((one) => !one.answers);
    waiting.sort((a, b) => Number(b === this.chosen) - Number(a === this.chosen));
    this.tell("answers");
    for (const picture of waiting) {
      try {
        picture.answers = await this.ask(picture.blob, picture.name, signal);
        picture.error = "";
      } catch (error) {
        if (signal.aborted) return;
        picture.answers = [];
        picture.error = error instanceof Error ? error.message : String(error);
      }
      this.tell("answers");
    }
  }

  /**
   * What the prompts say of one picture. Raises Failure, and an AbortError.
   * @param {Blob} blob @param {string} name @param {AbortSignal} signal
   * @returns {Promise<Answer[]>}
   */
  async ask(blob, name, signal) {
    const prompts = [this.project.id, this.other].filter(Boolean);
    if (!this.names.length) return this.predict(blob, name, prompts, [], signal);
    const found = await Promise.all(prompts.map((one) => this.predict(blob, name, [one], this.namesOf(one), signal)));
    return found.flat();
  }

  /** All names that a prompt is asked for. @param {string} prompt */
  namesOf(prompt) {
    return [...new Set([...(this.taught.get(prompt) ?? []), ...this.names])];
  }

  /** @param {Blob} blob @param {string} name @param {string[]} prompts @param {string[]} names @param {AbortSignal} signal */
  async predict(blob, name, prompts, names, signal) {
    const form = new FormData();
    form.append("images", blob, name);
    for (const one of prompts) form.append("prompts", one);
    for (const one of names) form.append("class_names", one);
    form.append("top", String(MOST_TOLD));
    if (this.share !== null && !names.length) form.append("reject", String(this.share));
    const { results } = await request("POST", "/v1/predict", { form, signal });
    if (results[0].error) throw new Error(wordsOfError(results[0].error));
    return results[0].predictions.map((/** @type {any} */ one) =>
      one.error ? { prompt: one.prompt, class_name: null, top: [], error: wordsOfError(one.error) } : one,
    );
  }

  /** Ends what is under way and forgets the pictures. */
  end() {
    this.listeners.clear();
    this.isEnded = true;
    this.endWatch();
    this.clear();
  }
}

/** @param {{detail: string, detail_key?: string, detail_values?: Record<string, any>}} problem */
function wordsOfError({ detail, detail_key: key, detail_values: values }) {
  return fromServer(key, values, detail).words;
}
