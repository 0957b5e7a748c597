/** What the page asks of the server: requests, failures in words, and whether the server is there. */
import { fromServer, has, t } from "./words.js";

/** A request that did not do what was wanted. `message` is in words, for the user. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 where no answer came
   * @param {string} slug of the problem document, "" where there is none
   * @param {Record<string, any>} problem
   */
  constructor(message, status, slug = "", problem = {}) {
    super(message);
    this.status = status;
    this.slug = slug;
    this.problem = problem;
  }

  /** Whether the same request may go well later, as it is. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || (this.status >= 502 && this.status <= 504);
  }
}

/**
 * @typedef {"online" | "offline" | "locked"} Connection locked: the server is there, but wants its token
 * @typedef {{json?: unknown, form?: FormData, signal?: AbortSignal, headers?: Record<string, string>}} Sent
 */

/** @type {Connection} */
let connection = "online";
/** @type {Set<(now: Connection) => void>} */
const watchers = new Set();
let probe = 0;

/** @returns {Connection} */
export function currentConnection() {
  return connection;
}

/** @param {(now: Connection) => void} watcher @returns {() => void} ends the watching */
export function onConnection(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** @param {Connection} now */
function setConnection(now) {
  if (now !== "online" && !probe) probe = window.setTimeout(look, 1500);
  if (now === connection) return;
  connection = now;
  for (const watcher of watchers) watcher(now);
}

/** Asks whether the server is back (and lets us in, where another tab has its new key), and goes on asking while it is not. */
async function look() {
  probe = 0;
  try {
    await send("GET", "/v1/projects", {});
  } catch {
    /* send has told the connection */
  }
}

/** Told by an event stream that is open. */
export function connected() {
  setConnection("online");
}

/** Told by an event stream that broke off. */
export function doubtConnection() {
  void look();
}

/** The address of a project. @param {string} id @param {string} [rest] */
export function address(id, rest = "") {
  return `/v1/projects/${encodeURIComponent(id)}${rest}`;
}

/** @param {string} id @param {string} image */
export function imageAddress(id, image) {
  return address(id, `/images/${encodeURIComponent(image)}`);
}

/** @param {string} id @param {string} image */
export function thumbnailAddress(id, image) {
  return `${imageAddress(id, image)}/thumbnail`;
}

/**
 * The JSON of an answer; raises Failure.
 * @param {string} method
 * @param {string} path
 * @param {Sent} [sent]
 * @returns {Promise<any>}
 */
export async function request(method, path, sent = {}) {
  const response = await send(method, path, sent);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    setConnection("offline"); // it broke off in the middle
    throw new Failure(t("app.failure.offline"), 0);
  }
}

/**
 * The whole answer, for what is no JSON; raises Failure.
 * @param {string} method
 * @param {string} path
 * @param {Sent & {body?: BodyInit}} [sent]
 * @returns {Promise<Response>}
 */
export async function send(method, path, sent = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...sent.headers };
  let body = sent.form ?? sent.body;
  if (sent.json !== undefined) {
    body = JSON.stringify(sent.json);
    headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal: sent.signal, credentials: "same-origin" });
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    setConnection("offline");
    throw new Failure(t("app.failure.offline"), 0);
  }
  setConnection(response.status === 401 ? "locked" : "online");
  if (!response.ok) throw await failure(response);
  return response;
}

/** @param {Response} response */
async function failure(response) {
  /** @type {Record<string, any>} */
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    /* no problem document: the status must do */
  }
  const slug = String(problem.type ?? "").split("/").pop() ?? "";
  const detail = problem.detail ?? problem.title ?? t("app.failure.status", { status: response.status });
  return new Failure(wordsOfProblem(problem, slug, detail), response.status, slug, problem);
}

/** By its own key, by its kind, or as the server says it. @param {Record<string, any>} problem @param {string} slug @param {string} detail */
function wordsOfProblem(problem, slug, detail) {
  if (has(`said.${problem.detail_key}`)) return fromServer(problem.detail_key, problem.detail_values, detail).words;
  return t(has(`problem.${slug}`) ? `problem.${slug}` : "problem.other", { detail });
}

/** The words of whatever was thrown. @param {unknown} error */
export function wordsOf(error) {
  if (error instanceof Failure) return error.message;
  console.error(error);
  return t("app.failure.page", { detail: error instanceof Error ? error.message : String(error) });
}
