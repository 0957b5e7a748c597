/** From what a person gave (a drop, a paste, a choice) to the queue: zips are opened, folders become classes. */
import { announce, toast } from "../app/live.js";
import { t } from "../app/words.js";
import { inZip, isZip } from "./found.js";
import { plan } from "./plan.js";
import { resume, upload } from "./queue.js";
import { adopt } from "./safe.js";
import { ZipError } from "./zip.js";

/**
 * @param {import("./queue.js").Goal} goal
 * @param {import("./found.js").Found[]} found
 * @param {string | null} target the class of files by themselves; null: unlabelled
 */
export async function takeFound(goal, found, target) {
  const all = found.filter((one) => !isZip(one.path));
  for (const one of found.filter(({ path }) => isZip(path))) all.push(...(await unzipped(one)));
  const { planned, passedOver } = plan(all, target);
  if (planned.length === 0) {
    if (found.length) toast(t("teach.upload.none"), { tone: "warn" });
    return;
  }
  if (passedOver) toast(t("teach.upload.passed-over", { count: passedOver }));
  announce(t("teach.upload.begun", { count: planned.length }));
  upload(goal, planned);
}

/** @param {import("./found.js").Found} one @returns {Promise<import("./found.js").Found[]>} */
async function unzipped(one) {
  try {
    return await inZip(await one.get());
  } catch (error) {
    const reason = error instanceof ZipError ? error.reason : "broken";
    toast(t(`teach.zip.${reason}`, { name: one.path }), { tone: "bad" });
    return [];
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
    const goal = await goalOf(id);
    if (!goal) continue;
    toast(t("teach.upload.taken-up", { count: own.length }));
    resume(goal, own);
  }
  const left = unread.reduce((sum, one) => sum + one.left, 0);
  if (left) toast(t("teach.upload.unread", { count: left }), { tone: "warn", stays: true });
}
