/** Server-sent events of any number of projects over one connection: browsers allow six to a server, all tabs together. */

const NAMES = ["hello", "state", "encoding", "training", "gone"];
/** Milliseconds in which further tabs may say what they follow, before it is opened anew. */
const GATHER = 30;
/** Milliseconds after which one that the browser gave up is tried again. */
const AGAIN = 3000;

/**
 * name: of the event, or "open" and "error" of the connection, which are of no project.
 * @typedef {{name: string, project?: string, data?: any}} Told
 */

export class Stream {
  /** @param {(told: Told) => void} tell */
  constructor(tell) {
    this.tell = tell;
    /** @type {string[]} */
    this.projects = [];
    /** @type {EventSource | null} */
    this.source = null;
    this.timer = 0;
  }

  /** Follows these and no others. It begins with a hello of each, which tells what was missed. @param {Iterable<string>} projects */
  follow(projects) {
    this.projects = [...new Set(projects)].sort();
    this.later(GATHER);
  }

  /** @param {number} wait */
  later(wait) {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.open(), wait);
  }

  open() {
    this.source?.close();
    this.source = null;
    if (this.projects.length === 0) return;
    const query = new URLSearchParams(this.projects.map((one) => ["project", one]));
    const source = new EventSource(`/v1/events?${query}`);
    this.source = source;
    source.onopen = () => this.tell({ name: "open" });
    source.onerror = () => {
      this.tell({ name: "error" });
      if (source.readyState === EventSource.CLOSED) this.later(AGAIN);
    };
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        const { project, ...data } = JSON.parse(/** @type {MessageEvent} */ (event).data);
        this.tell({ name, project, data });
      });
    }
  }

  close() {
    window.clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
