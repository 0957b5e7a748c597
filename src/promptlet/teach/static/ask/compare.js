/** Another prompt of the server, asked beside the project's own. */
import { request } from "../app/api.js";
import { el, fill } from "../app/dom.js";
import { attempt } from "../app/live.js";
import { t } from "../app/words.js";

/** @param {import("./asking.js").Asking} asking */
export function comparePart(asking) {
  const select = el("select", {
    id: "other",
    "aria-describedby": "other-hint",
    onchange: () => void choose(select.value),
  });
  const hint = el("p", { class: "hint", id: "other-hint" });
  const element = el(
    "section",
    { class: "card stack", "aria-labelledby": "compare" },
    el("h2", { id: "compare" }, t("ask.compare.title")),
    el("p", { class: "soft" }, t("ask.compare.lead")),
    el("div", { class: "field" }, el("label", { for: "other" }, t("ask.compare.label")), select, hint),
  );
  const choose = async (/** @type {string} */ name) => {
    const isWell = !name || (await attempt(() => asking.learnNames(name)));
    asking.other = isWell ? name : "";
    select.value = asking.other;
    asking.changed();
  };
  const load = async () => {
    const { prompts } = await request("GET", "/v1/prompts");
    const others = prompts.filter(
      (/** @type {any} */ one) => one.name !== asking.project.id && one.state !== "broken" && !one.reason,
    );
    fill(
      select,
      el("option", { value: "" }, t("ask.compare.nobody")),
      others.map((/** @type {any} */ one) =>
        el("option", { value: one.name }, t("ask.compare.option", { name: one.name, count: one.classes })),
      ),
    );
    hint.textContent = others.length ? "" : t("ask.compare.none");
    hint.hidden = others.length > 0;
  };
  void attempt(load);
  return { element, look: () => {} };
}
