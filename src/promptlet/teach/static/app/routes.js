/** The addresses within the page: "#/" is the list of projects, "#/p/pets/train" a view of a project. */

/**
 * @typedef {"teach" | "train" | "ask" | "take"} ViewName
 * @typedef {{id: string, view: ViewName}} Route
 */

/** @type {ViewName[]} in the order in which they are used */
export const VIEW_NAMES = ["teach", "train", "ask", "take"];

/** @returns {Route | null} null means the list of projects */
export function route() {
  const [, id, view] = /^#\/p\/([^/]+)(?:\/([a-z]+))?/.exec(location.hash) ?? [];
  return id ? { id: decoded(id), view: VIEW_NAMES.find((name) => name === view) ?? "teach" } : null;
}

/** @param {string} id */
function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

/** @param {string} id @param {ViewName} [view] */
export function link(id, view = "teach") {
  return `#/p/${encodeURIComponent(id)}/${view}`;
}
