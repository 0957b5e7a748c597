/** Why: the taught photos that are most like the chosen picture. */
import { address, request, wordsOf } from "../app/api.js";
import { el, fill } from "../app/dom.js";
import { percent, t } from "../app/words.js";
import { picture as thumbnail } from "../train/picture.js";

/** @param {import("./asking.js").Asking} asking */
export function nearestPart(asking) {
  const list = el("ul", { class: "nearest", role: "list", "aria-label": t("ask.why.title") });
  const failure = el("p", { class: "error", hidden: true });
  const element = el(
    "section",
    { class: "card stack", "aria-labelledby": "why", hidden: true },
    el("h2", { id: "why" }, t("ask.why.title")),
    el("p", { class: "soft" }, t("ask.why.lead")),
    failure,
    list,
  );
  /** @type {WeakMap<object, any[]>} */
  const known = new WeakMap();
  /** @type {object | null} */
  let wanted = null;

  const look = () => {
    const { chosen, film } = asking;
    element.hidden = !chosen || film !== null || chosen.error !== "";
    if (!chosen || film || wanted === chosen) return;
    wanted = chosen;
    void load(chosen);
  };
  const load = async (/** @type {import("./asking.js").Picture} */ picture) => {
    failure.hidden = true;
    try {
      const found = known.get(picture) ?? (await ask(picture));
      known.set(picture, found);
      if (wanted === picture) fill(list, found.map(item));
    } catch (error) {
      if (wanted !== picture) return;
      fill(list);
      failure.hidden = false;
      failure.textContent = wordsOf(error);
    }
  };
  const ask = async (/** @type {import("./asking.js").Picture} */ picture) => {
    const form = new FormData();
    form.append("image", picture.blob, picture.name);
    return (await request("POST", address(asking.project.id, "/nearest"), { form })).nearest;
  };
  const item = (/** @type {any} */ one) =>
    el(
      "li",
      {},
      thumbnail(asking.project, one.image, one.class),
      el("span", {}, one.class),
      el("span", { class: "soft number" }, t("ask.why.alike", { percent: percent(Math.max(one.similarity, 0)) })),
    );
  return { element, look };
}
