/** One project as the server has it, for all views: what changes comes from the server, here or in another tab. */
import { address, Failure, request } from "./api.js";
import { listen } from "./following.js";

/**
 * @typedef {{name: string, images: string[]}} ProjectClass
 * @typedef {{action: string, count: number, class?: string}} Step a step of undo or redo
 * @typedef {{id: string, state: string, stage: string, done: number, total: number, word?: string, seconds: number,
 *   seconds_left: number | null, error: string | null, error_key?: string, error_values?: Record<string, any>}} Job
 * @typedef {{id: string, title: string, revision: number, classes: ProjectClass[], unlabelled: string[],
 *   names: Record<string, string>, settings: Record<string, unknown>, undo: Step | null, redo: Step | null,
 *   encoded: number, total: number, training: Job | null, trained: boolean, stale: boolean,
 *   backbone: {name: string, input_size: number}, skipped?: string[]}} State
 * @typedef {"state" | "encoding" | "training" | "gone"} Topic gone: it was deleted
 */

export class Project {
  /** @param {State} state */
  constructor(state) {
    /** @type {State} */
    this.state = state;
    /** @type {Job | null} */
    this.training = state.training;
    /** Of the images' features: what is made of them once and kept. */
    this.encoding = { done: state.encoded, total: state.total };
    /** @type {Map<Topic, Set<() => void>>} */
    this.listeners = new Map();
    /** @type {Promise<void> | null} */
    this.loading = null;
    this.isWanted = false;
    this.end = listen(state.id, {
      hello: (data) => this.meet(data),
      state: (data) => this.look(data.revision),
      encoding: (data) => this.setEncoding(data),
      training: (data) => this.setTraining(data),
      gone: () => void this.load(),
    });
  }

  /** @param {string} id @returns {Promise<Project>} */
  static async open(id) {
    return new Project(await request("GET", address(id)));
  }

  get id() {
    return this.state.id;
  }

  /** Ends the following of events; the object is not used afterwards. */
  close() {
    this.end();
    this.listeners.clear();
  }

  /**
   * Calls a listener after each change of a topic.
   * @param {Topic} topic
   * @param {() => void} listener
   * @returns {() => void} ends it
   */
  on(topic, listener) {
    const all = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, all.add(listener));
    return () => all.delete(listener);
  }

  /** @param {Topic} topic */
  tell(topic) {
    for (const listener of [...(this.listeners.get(topic) ?? [])]) listener();
  }

  /** What may have been missed before events came. @param {{revision: number, training: Job | null, done: number, total: number}} data */
  meet({ revision, training, done, total }) {
    if (training?.id !== this.training?.id || training?.state !== this.training?.state) this.setTraining(training);
    this.setEncoding({ done, total });
    this.look(revision);
  }

  /** Loads where the server tells of another revision. @param {number} revision */
  look(revision) {
    if (revision !== this.state.revision) void this.load();
  }

  /** Loads the state anew. Calls during a load are joined to one more. */
  async load() {
    if (this.loading) {
      this.isWanted = true;
      return this.loading;
    }
    this.loading = this.loadOnce();
    return this.loading;
  }

  async loadOnce() {
    try {
      do {
        this.isWanted = false;
        const before = this.state.revision;
        const state = await request("GET", address(this.id));
        if (this.state.revision === before) this.put(state);
        else this.take(state);
      } while (this.isWanted);
    } catch (error) {
      if (error instanceof Failure && error.status === 404) this.tell("gone");
      /* else the banner tells that the server is away; the next hello loads again */
    } finally {
      this.loading = null;
    }
  }

  /** Takes a state from the server, unless a newer one is here. @param {State} state */
  take(state) {
    if (state.revision >= this.state.revision) this.put(state);
  }

  /** @param {State} state */
  put(state) {
    this.state = state;
    const isOlder = state.total === this.encoding.total && state.encoded < this.encoding.done; // than an event that overtook it
    if (!isOlder) this.setEncoding({ done: state.encoded, total: state.total });
    this.setTraining(state.training);
    this.tell("state");
  }

  /** @param {{done: number, total: number}} encoding */
  setEncoding(encoding) {
    this.encoding = { done: encoding.done, total: encoding.total };
    this.tell("encoding");
  }

  /** @param {Job | null} training */
  setTraining(training) {
    const wasRunning = isRunning(this.training);
    this.training = training;
    this.tell("training");
    if (wasRunning && !isRunning(training)) void this.load();
  }

  /** Makes a change (see the API) and takes the state that comes of it; raises Failure. @param {Record<string, unknown>} change @returns {Promise<State>} */
  async change(change) {
    const state = await request("POST", address(this.id, "/changes"), { json: change });
    this.take(state);
    return state;
  }

  /** @param {"undo" | "redo"} way */
  async step(way) {
    this.take(await request("POST", address(this.id, `/${way}`)));
  }

  /** @param {{title?: string, settings?: Record<string, unknown>}} changed */
  async patch(changed) {
    this.take(await request("PATCH", address(this.id), { json: changed }));
  }

  /** The class of each image; unlabelled ones are left out. @returns {Map<string, string>} */
  classOf() {
    const found = new Map();
    for (const one of this.state.classes) for (const image of one.images) found.set(image, one.name);
    return found;
  }
}

/** @param {Job | null} job */
export function isRunning(job) {
  return job !== null && (job.state === "waiting" || job.state === "running");
}
