/**
 * What happens in a project, told to the tabs that show it. One of them has the connection and tells the others, whatever
 * they show; when it goes, the lock goes to the next. A tab that is not seen follows nothing, and catches up when it is.
 */
import { connected, doubtConnection } from "./api.js";
import { Stream } from "./stream.js";

const NAME = "promptlet.events";

/** @typedef {import("./stream.js").Told} Told */

/**
 * Follows a project while the tab is seen. `listeners` are called with the data of an event: hello, state, encoding,
 * training, gone.
 * @param {string} id
 * @param {Record<string, (data: any) => void>} listeners
 * @returns {() => void} ends it
 */
export function listen(id, listeners) {
  const tell = (/** @type {Told} */ { name, project, data }) => {
    if (name === "open") connected();
    else if (name === "error") doubtConnection();
    else if (project === id) listeners[name]?.(data);
  };
  /** @type {(() => void) | null} */
  let leave = null;
  const look = () => {
    const isSeen = document.visibilityState === "visible";
    if (isSeen && !leave) leave = canShare() ? shared(id, tell) : alone(id, tell);
    if (!isSeen && leave) end();
  };
  const end = () => {
    leave?.();
    leave = null;
  };
  const aborting = new AbortController();
  document.addEventListener("visibilitychange", look, { signal: aborting.signal });
  window.addEventListener("pagehide", end, { signal: aborting.signal });
  window.addEventListener("pageshow", look, { signal: aborting.signal });
  look();
  return () => {
    aborting.abort();
    end();
  };
}

/** Browsers have locks on this computer's own address and over HTTPS alone. */
function canShare() {
  return "locks" in navigator && "BroadcastChannel" in window;
}

/** With a connection of its own. @param {string} id @param {(told: Told) => void} tell @returns {() => void} ends it */
function alone(id, tell) {
  const stream = new Stream(tell);
  stream.follow([id]);
  return () => stream.close();
}

/**
 * Messages: `want`, what the tab `from` shows, null for nothing any more; `ask`, of a tab that has the connection now and
 * has to know; `told`, an event.
 * @param {string} id @param {(told: Told) => void} tell @returns {() => void} ends it
 */
function shared(id, tell) {
  const me = crypto.randomUUID();
  const channel = new BroadcastChannel(NAME);
  const aborting = new AbortController();
  /** What tabs show, while this one has the connection. @type {Map<string, string>} */
  const wanted = new Map([[me, id]]);
  /** @type {Stream | null} */
  let stream = null;
  let release = () => {};

  channel.onmessage = ({ data: { want, from, ask, told } }) => {
    if (told) tell(told);
    if (ask) channel.postMessage({ want: id, from: me });
    if (from === undefined || !stream) return;
    if (want === null) wanted.delete(from);
    else wanted.set(from, want);
    stream.follow(wanted.values());
  };
  const lead = () =>
    new Promise((resolve) => {
      if (aborting.signal.aborted) return resolve(null);
      release = () => resolve(null);
      stream = new Stream((told) => {
        channel.postMessage({ told });
        tell(told);
      });
      stream.follow(wanted.values());
      channel.postMessage({ ask: true });
    });
  channel.postMessage({ want: id, from: me });
  navigator.locks.request(NAME, { signal: aborting.signal }, lead).catch(() => {}); // it was left before its turn came
  return () => {
    channel.postMessage({ want: null, from: me });
    channel.close();
    stream?.close();
    stream = null;
    aborting.abort();
    release();
  };
}
