/** A file that was taken away, opened as a project: the zip of one, or a prompt by itself. */
import { address, Failure, request, send } from "../app/api.js";
import { link } from "../app/routes.js";
import { t } from "../app/words.js";
import { openProjectZip } from "../take/zipped.js";

/** @param {File} file @returns {Promise<string>} where to go then; raises Failure */
export async function openFile(file) {
  if (/\.zip$/i.test(file.name)) return link(await openProjectZip(file));
  if (/\.prompt$/i.test(file.name)) return link(await openPrompt(file), "ask");
  throw new Failure(t("projects.neither", { name: file.name }), 0);
}

/** A project without photos, which can be asked. @param {File} file @returns {Promise<string>} its id; nothing is left of it where the file is no prompt */
async function openPrompt(file) {
  const { id } = await request("POST", "/v1/projects", { json: { title: file.name.replace(/\.prompt$/i, "") } });
  try {
    await send("PUT", address(id, "/prompt"), { body: file, headers: { "Content-Type": "application/octet-stream" } });
  } catch (error) {
    await request("DELETE", address(id)).catch(() => null);
    throw error;
  }
  return id;
}
