/** From what a person gave (a drop, a paste, a choice) to the queue: zips are opened, folders become classes. */
import { announce, toast } from "../app/live.js";
import { t } from "../app/words.js";
import { inZip, isZip } from "./found.js";
import { plan, soleFolder } from "./plan.js";
import { resume, upload } from "./queue.js";
import { adopt } from "./safe.js";
import { ZipError } from "./zip.js";

/**
 * `ofFolder` tells the class of one plain folder by its name; undefined: nothing is added.
 * @param {import("./queue.js").Goal} goal
 * @param {import("./found.js").Found[]} found
 * @param {string | null} target the class of files by themselves; null: unlabelled
 * @param {(name: string) => Promise<string | null | undefined>} [ofFolder]
 */
export async function takeFound(goal, found, target, ofFolder = async () => target) {
  const all = found.filter((one) => !isZip(one.path));
  for (const one of found.filter(({ path }) => isZip(path))) {
    const inside = await unzipped(one);
    if (inside === null) return;
    all.push(...inside);
  }
  const folder = soleFolder(all);
  const own = folder === null ? target : await ofFolder(folder);
  if (own === undefined) return;
  const { planned, passedOver } = plan(all, own);
  if (planned.length === 0) {
    toast(t("teach.upload.none"), { tone: "warn" });
    return;
  }
  if (passedOver) toast(t("teach.upload.passed-over", { count: passedOver }));
  announce(t("teach.upload.begun", { count: planned.length }));
  upload(goal, planned);
}

/** Tries again while the server is away. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function patiently(work) {
  for (;;) {
    try {
      return await work();
    } catch {
      await new Promise((resolve) => window.setTimeout(resolve, 3000));
    }
  }
}

/** @param {import("./found.js").Found} one @returns {Promise<import("./found.js").Found[] | null>} null: it was told why not */
async function unzipped(one) {
  try {
    return await inZip(await one.get());
  } catch (error) {
    const reason = error instanceof ZipError ? error.reason : "broken";
    toast(t(`teach.zip.${reason}`, { name: one.path }), { tone: "bad" });
    return null;
  }
}

/**
 * Takes up what a tab that crashed or was closed had left for any project.
 * @param {(id: string) => Promise<import("./queue.js").Goal | null>} goalOf null for a project that is gone
 */
export async function takeUp(goalOf) {
  const { copies, unread } = await adopt();
  for (const id of new Set(copies.map((copy) => copy.project))) {
    const own = copies.filter((copy) => copy.project === id);
    const goal = await patiently(() => goalOf(id));
    if (!goal) continue;
    toast(t("teach.upload.taken-up", { count: own.length }));
    resume(goal, own);
  }
  const left = unread.reduce((sum, one) => sum + one.left, 0);
  if (left) toast(t("teach.upload.unread", { count: left }), { tone: "warn", stays: true });
}
