/** All words in English: a file for each view, keys begin with the view's name. */
import { app } from "./en/app.js";
import { ask } from "./en/ask.js";
import { projects } from "./en/projects.js";
import { said } from "./en/said.js";
import { take } from "./en/take.js";
import { teach } from "./en/teach.js";
import { train } from "./en/train.js";

/** @type {Record<string, import("../words.js").Words>} */
export const en = { ...app, ...projects, ...teach, ...train, ...ask, ...take, ...said };
