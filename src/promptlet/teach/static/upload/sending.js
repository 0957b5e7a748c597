/** One request with a few images, and what came of each of them. */
import { address, request } from "../app/api.js";
import { fromServer } from "../app/words.js";
import { copyOf } from "./safe.js";

/**
 * Raises Failure where the request as a whole went wrong.
 * @param {import("./queue.js").Ready[]} lot of one gesture, project and class
 * @returns {Promise<{added: number, known: number, errors: import("./queue.js").ItemError[]}>}
 */
export async function sendLot(lot) {
  const [{ goal, gesture, className }] = lot;
  const form = new FormData();
  for (const one of lot) form.append("images", one.blob ?? (await copyOf(one.key)), one.name);
  const where = className === null ? "" : `?${new URLSearchParams({ class: className })}`;
  const headers = { "X-Promptlet-Gesture": gesture };
  const answer = await request("POST", address(goal.id, `/images${where}`), { form, headers });
  return counted(answer, lot);
}

/**
 * Where a lot was sent before, the server knows images that this very gesture has brought.
 * @param {{added: unknown[], known: {class: string | null}[], errors: Record<string, any>[]}} answer
 * @param {import("./queue.js").Ready[]} lot
 */
function counted(answer, lot) {
  const { isRetry, className } = lot[0];
  const own = answer.known.filter((one) => isRetry && (one.class ?? null) === className).length;
  const errors = answer.errors.map((one) => {
    const { words, lang } = fromServer(one.detail_key, one.detail_values, one.detail);
    return { name: one.name, detail: words, lang };
  });
  const told = answer.added.length + answer.known.length + errors.length;
  return { added: answer.added.length + own + (lot.length - told), known: answer.known.length - own, errors };
}
