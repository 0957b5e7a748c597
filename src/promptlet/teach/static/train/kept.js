/** What was looked at and kept as it is, remembered by the browser for each project. */

const MOST = 500;

/** @param {string} id of the project */
export function keptOf(id) {
  const place = `promptlet.kept.${id}`;
  const all = new Set(known(place));
  const store = () => {
    try {
      localStorage.setItem(place, JSON.stringify([...all].slice(-MOST)));
    } catch {
      /* then it is asked again next time */
    }
  };
  return {
    has: (/** @type {string} */ key) => all.has(key),
    add: (/** @type {string} */ key) => {
      all.add(key);
      store();
    },
    delete: (/** @type {string} */ key) => {
      all.delete(key);
      store();
    },
  };
}

/** @param {string} place @returns {string[]} */
function known(place) {
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}
