/** A project's zip becomes a project: its photos class by class, their names, what was learned, and how good it was. */
import { address, Failure, request, send, wordsOf } from "../app/api.js";
import { tellFailure, toast } from "../app/live.js";
import { t } from "../app/words.js";
import { inZip } from "../upload/found.js";
import { plan } from "../upload/plan.js";
import { onUploads, upload } from "../upload/queue.js";
import { ZipError } from "../upload/zip.js";

const MOST_JSON = 32 * 1024 * 1024;
/** Of what was said of each photo: without it there is no report. */
const MOST_ANSWERS = 12 * 1024 * 1024;

/** @typedef {import("../upload/found.js").Found} Found */

/**
 * What was learned first, then the photos go on their way; the id is there at once. Raises Failure.
 * @param {File} file @returns {Promise<string>}
 */
export async function openProjectZip(file) {
  const found = await entriesOf(file);
  const record = (await jsonOf(found, "project.json")) ?? {};
  const { planned } = plan(found, null);
  if (!planned.length) throw new Failure(t("take.open.no-photos", { name: file.name }), 0);
  const title = typeof record.title === "string" && record.title ? record.title : file.name.replace(/\.zip$/i, "");
  const { id, backbone } = await request("POST", "/v1/projects", { json: { title } });
  const isPut = await putPrompt(id, found).catch(tellFailure); // made for another model: the photos come all the same
  if (isPut) await putResult(id, found, record);
  if (record.settings) await request("PATCH", address(id), { json: { settings: record.settings } }).catch(tellFailure);
  orderAfterwards(id, record);
  const named = planned.map((one) => ({ ...one, name: record.names?.[stem(one.name)] ?? one.name }));
  upload({ id, inputSize: backbone.input_size }, named);
  return id;
}

/** @param {string} id @param {Found[]} found @returns {Promise<boolean>} whether there was one */
async function putPrompt(id, found) {
  const prompt = found.find(({ path }) => path.endsWith(".prompt"));
  if (!prompt) return false;
  const headers = { "Content-Type": "application/octet-stream" };
  await send("PUT", address(id, "/prompt"), { body: await prompt.get(), headers });
  return true;
}

/** What was found out when it was learned; the server looks whether that can be. @param {string} id @param {Found[]} found @param {any} record */
async function putResult(id, found, record) {
  if (!record.result || typeof record.result !== "object") return;
  const answers = await jsonOf(found, ".answers.json", MOST_ANSWERS);
  try {
    await request("PUT", address(id, "/result"), { json: { result: record.result, answers } });
  } catch (error) {
    toast(t("take.open.no-result", { reason: wordsOf(error) }), { tone: "warn", stays: true });
  }
}

/** Classes get their order when the last photo has come. @param {string} id @param {any} record */
function orderAfterwards(id, record) {
  if (!Array.isArray(record.classes) || record.classes.length < 2) return;
  const end = onUploads((project, _, isEnd) => {
    if (project !== id || !isEnd) return;
    end();
    const json = { action: "order-classes", names: record.classes };
    request("POST", address(id, "/changes"), { json }).catch(tellFailure);
  });
}

/** @param {File} file */
async function entriesOf(file) {
  try {
    return await inZip(file);
  } catch (error) {
    const reason = error instanceof ZipError ? error.reason : "broken";
    throw new Failure(t(`teach.zip.${reason}`, { name: file.name }), 0);
  }
}

/** The object in a file of this name; null where there is none. @param {Found[]} found @param {string} name @param {number} [most] bytes @returns {Promise<any>} */
async function jsonOf(found, name, most = MOST_JSON) {
  const one = found.find(({ path }) => path.endsWith(`/${name}`));
  if (!one) return null;
  try {
    const file = await one.get();
    const told = file.size > most ? null : JSON.parse(await file.text());
    return told && typeof told === "object" ? told : null;
  } catch {
    return null;
  }
}

/** @param {string} name */
function stem(name) {
  return name.replace(/\.[^.]*$/, "");
}
