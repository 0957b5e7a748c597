/** What the last training learned: how good it is, what it mixes up, what looks wrong, whether more would help. */
import { address, Failure, request, wordsOf } from "../app/api.js";
import { button, el, fill } from "../app/dom.js";
import { link } from "../app/routes.js";
import { isRunning } from "../app/state.js";
import { t } from "../app/words.js";
import { accuracyCard } from "./accuracy.js";
import { confusionCard } from "./confusion.js";
import { curveCard } from "./curve.js";
import { suspiciousPart } from "./suspicious.js";

/** @param {import("../app/state.js").Project} project */
export function resultPart(project) {
  const notice = el("div", { role: "status" });
  const content = el("div", { class: "stack loose" });
  const element = el("div", { class: "stack" }, notice, content);
  const suspicious = suspiciousPart(project);
  let shown = "";
  let isEnded = false;

  const load = async () => {
    try {
      const result = await request("GET", address(project.id, "/result"));
      if (isEnded) return;
      shown = keyOf(project);
      suspicious.take(result.suspicious ?? []);
      fill(
        content,
        accuracyCard(result),
        confusionCard(project, result),
        suspicious.element,
        curveCard(result),
        nextCard(project),
      );
    } catch (error) {
      if (isEnded) return;
      const isNone = error instanceof Failure && error.status === 404;
      fill(
        content,
        isNone
          ? el("div", { class: "notice" }, el("p", {}, t("train.no-result")))
          : el(
              "div",
              { class: "notice bad" },
              el("p", {}, wordsOf(error)),
              button(t("app.again"), () => void load()),
            ),
      );
    }
  };
  const look = () => {
    element.hidden = !project.state.trained || isRunning(project.training);
    if (Boolean(notice.firstChild) !== project.state.stale) fill(notice, project.state.stale && staleNotice());
    if (project.state.trained && !isRunning(project.training) && shown !== keyOf(project)) {
      shown = keyOf(project);
      void load();
    }
    suspicious.look();
  };
  const ends = [project.on("state", look), project.on("training", look)];
  look();
  return {
    element,
    end: () => {
      isEnded = true;
      suspicious.end();
      ends.forEach((end) => end());
    },
  };
}

function staleNotice() {
  return el("div", { class: "notice warn" }, el("p", {}, t("train.stale")));
}

/** Changes with each training that ended. @param {import("../app/state.js").Project} project */
function keyOf(project) {
  return `${project.training?.id ?? ""} ${project.training?.state ?? ""} ${project.state.trained}`;
}

/** @param {import("../app/state.js").Project} project */
function nextCard(project) {
  return el(
    "section",
    { class: "card spread" },
    el(
      "div",
      { class: "stack tight" },
      el("h2", {}, t("train.next.title")),
      el("p", { class: "soft" }, t("train.next.words")),
    ),
    el(
      "div",
      { class: "row" },
      el("a", { class: "button primary", href: link(project.id, "ask") }, t("train.next.ask")),
      el("a", { class: "button", href: link(project.id, "take") }, t("train.next.take")),
    ),
  );
}
