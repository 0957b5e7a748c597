/** Start of the page: the shell, the routes, and the banner that tells whether the server is there. */
import { holdOwn } from "../upload/safe.js";
import { takeUp } from "../upload/taking.js";
import { address, currentConnection, Failure, onConnection, request, wordsOf } from "./api.js";
import { button, byId, el, fill, heading, set } from "./dom.js";
import { link, route, VIEW_NAMES } from "./routes.js";
import { Project } from "./state.js";
import { currentLanguage, LANGUAGES, setLanguage, t } from "./words.js";

/**
 * A view is a module with `show(main, project)`: it fills main, its h1 first, and gives a function that ends all that it
 * began (listeners, timers, cameras). It is called again when the language changes.
 * @typedef {(main: HTMLElement, project: Project) => (() => void)} Show
 */

/** @type {Record<import("./routes.js").ViewName, () => Promise<{show: Show}>>} */
const VIEWS = {
  teach: () => import("../teach/view.js"),
  train: () => import("../train/view.js"),
  ask: () => import("../ask/view.js"),
  take: () => import("../take/view.js"),
};

/** @type {Project | null} */
let project = null;
/** @type {() => void} */
let leave = () => {};
let turn = 0;

/** Shows what the address says. @param {boolean} [isFocused] whether the focus goes to the h1 */
async function show(isFocused = true) {
  const mine = ++turn;
  const wanted = route();
  leave();
  leave = () => {};
  const main = el("main", { id: "main", tabindex: "-1", "aria-busy": "true" });
  byId("main").replaceWith(main);
  showTabs(wanted);
  showShell(wanted);
  try {
    const start = await started(wanted, mine);
    if (mine !== turn) return;
    leave = start(main);
  } catch (error) {
    if (mine !== turn) return;
    showFailure(main, error);
  }
  set(main, { "aria-busy": null });
  showShell(wanted);
  if (isFocused) focusHeading(main);
}

/** @param {import("./routes.js").Route | null} wanted @param {number} mine @returns {Promise<(main: HTMLElement) => (() => void)>} */
async function started(wanted, mine) {
  if (wanted === null) {
    forget();
    const { show: showProjects } = await import("../projects/view.js");
    return showProjects;
  }
  const view = VIEWS[wanted.view]();
  if (project?.id !== wanted.id) {
    forget();
    const opened = await Project.open(wanted.id);
    if (mine !== turn) opened.close();
    else follow(opened);
  }
  const { show: showView } = await view;
  return (main) => showView(main, /** @type {Project} */ (project));
}

/** @param {Project} opened */
function follow(opened) {
  project = opened;
  opened.on("state", () => showShell(route()));
  opened.on("gone", () => {
    forget();
    void show();
  });
}

function forget() {
  project?.close();
  project = null;
}

/** @param {HTMLElement} main @param {unknown} error */
function showFailure(main, error) {
  const isGone = error instanceof Failure && error.status === 404;
  fill(main, el("div", { class: "empty" },
    heading(t(isGone ? "app.gone.title" : "app.failed.title")),
    el("p", {}, isGone ? t("app.gone.words") : wordsOf(error)),
    el("div", { class: "row" },
      button(t("app.again"), () => void show(), { class: "primary" }),
      el("a", { class: "button", href: "#/" }, t("app.projects")))));
}

/** @param {HTMLElement} main */
function focusHeading(main) {
  const title = main.querySelector("h1");
  window.scrollTo(0, 0);
  if (title && !document.querySelector("dialog[open]")) title.focus({ preventScroll: true });
}

/** @param {import("./routes.js").Route | null} wanted */
function showShell(wanted) {
  const title = wanted && project?.id === wanted.id ? project.state.title : null;
  const view = wanted ? t(`app.tab.${wanted.view}`) : t("app.projects");
  document.title = [view, title, "Promptlet"].filter(Boolean).join(" – ");
  document.documentElement.lang = currentLanguage();
  byId("skip").textContent = t("app.skip");
  byId("title").textContent = title ?? "Promptlet";
  set(byId("brand"), { "aria-label": title ? t("app.brand", { title }) : null });
  set(byId("toasts"), { "aria-label": t("app.messages") });
}

/** What changes with the address and the language alone. @param {import("./routes.js").Route | null} wanted */
function showTabs(wanted) {
  const tabs = byId("tabs");
  set(tabs, { hidden: wanted === null, "aria-label": t("app.steps") });
  fill(/** @type {Element} */ (tabs.querySelector("ul")), wanted && VIEW_NAMES.map((name) => tab(wanted, name)));
  fill(byId("foot"), el("span", {}, t("app.foot")), languages());
}

/** @param {import("./routes.js").Route} wanted @param {import("./routes.js").ViewName} name */
function tab(wanted, name) {
  const current = wanted.view === name ? "page" : null;
  return el("li", {}, el("a", { href: link(wanted.id, name), "aria-current": current }, t(`app.tab.${name}`)));
}

function languages() {
  const choose = (/** @type {Event} */ event) => {
    setLanguage(/** @type {HTMLSelectElement} */ (event.target).value);
    showBanner();
    void show(false).then(() => byId("language").focus());
  };
  const options = Object.entries(LANGUAGES).map(([code, { name }]) =>
    el("option", { value: code, lang: code, selected: code === currentLanguage() }, name));
  return el("label", { class: "row tight language" }, t("app.language"), el("select", { id: "language", onchange: choose }, options));
}

function showBanner() {
  const now = currentConnection();
  const words = now === "offline" ? t("app.offline") : now === "locked" ? t("app.locked") : "";
  fill(byId("banner"), words && el("div", { class: "notice warn banner" }, el("p", {}, words)));
}

/** What an upload must know of a project. @param {string} id @returns {Promise<import("../upload/queue.js").Goal | null>} null: it is gone */
async function goalOf(id) {
  try {
    const { backbone } = project?.id === id ? project.state : await request("GET", address(id));
    return { id, inputSize: backbone.input_size };
  } catch (error) {
    if (error instanceof Failure && error.status === 404) return null;
    throw error;
  }
}

window.addEventListener("hashchange", () => void show());
/** A file that is dropped where nothing takes it never opens in the place of the page. */
for (const name of ["dragover", "drop"]) {
  window.addEventListener(name, (event) => {
    const { dataTransfer, defaultPrevented } = /** @type {DragEvent} */ (event);
    if (defaultPrevented || !dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    dataTransfer.dropEffect = "none";
  });
}
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
onConnection((now) => {
  showBanner();
  if (now === "online") void (project ? project.load() : show(false));
});
setLanguage(currentLanguage());
holdOwn();
void show(false).then(() => takeUp(goalOf));
