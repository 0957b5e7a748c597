/** A project's zip becomes a project: its photos class by class, their names, and what was learned. */
import { address, Failure, request, send } from "../app/api.js";
import { tellFailure } from "../app/live.js";
import { t } from "../app/words.js";
import { inZip } from "../upload/found.js";
import { plan } from "../upload/plan.js";
import { onUploads, upload } from "../upload/queue.js";
import { ZipError } from "../upload/zip.js";

const MOST_RECORD = 32 * 1024 * 1024;

/** @typedef {import("../upload/found.js").Found} Found */

/**
 * What was learned first, then the photos go on their way; the id is there at once. Raises Failure.
 * @param {File} file @returns {Promise<string>}
 */
export async function openProjectZip(file) {
  const found = await entriesOf(file);
  const record = await recordOf(found);
  const { planned } = plan(found, null);
  if (!planned.length) throw new Failure(t("take.open.no-photos", { name: file.name }), 0);
  const title = typeof record.title === "string" && record.title ? record.title : file.name.replace(/\.zip$/i, "");
  const { id, backbone } = await request("POST", "/v1/projects", { json: { title } });
  await putPrompt(id, found).catch(tellFailure); // made for another model: the photos come all the same
  orderAfterwards(id, record);
  const named = planned.map((one) => ({ ...one, name: record.names?.[stem(one.name)] ?? one.name }));
  upload({ id, inputSize: backbone.input_size }, named);
  return id;
}

/** @param {string} id @param {Found[]} found */
async function putPrompt(id, found) {
  const prompt = found.find(({ path }) => path.endsWith(".prompt"));
  if (!prompt) return;
  const headers = { "Content-Type": "application/octet-stream" };
  await send("PUT", address(id, "/prompt"), { body: await prompt.get(), headers });
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

/** What project.json says; nothing where there is none. @param {Found[]} found @returns {Promise<any>} */
async function recordOf(found) {
  const one = found.find(({ path }) => path.endsWith("/project.json"));
  if (!one) return {};
  try {
    const file = await one.get();
    const told = file.size > MOST_RECORD ? null : JSON.parse(await file.text());
    return told && typeof told === "object" ? told : {};
  } catch {
    return {};
  }
}

/** @param {string} name */
function stem(name) {
  return name.replace(/\.[^.]*$/, "");
}
