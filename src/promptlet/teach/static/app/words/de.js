/** All words in German: a file for each view, keys begin with the view's name. */
import { app } from "./de/app.js";
import { ask } from "./de/ask.js";
import { projects } from "./de/projects.js";
import { said } from "./de/said.js";
import { take } from "./de/take.js";
import { teach } from "./de/teach.js";
import { train } from "./de/train.js";

/** @type {Record<string, import("../words.js").Words>} */
export const de = { ...app, ...projects, ...teach, ...train, ...ask, ...take, ...said };
