// An exported folder (promptlet export --to onnx), opened and asked in the browser.

import { readNpz } from "./arrays.js";
import { preprocess, whyNot } from "./pixels.js";

/** The classifier of a folder at an address that ends in "/"; ort: onnxruntime-web. Throws an Error that says what to do. */
export async function openExported(folder, ort) {
  const manifest = JSON.parse(new TextDecoder().decode(await fetched(folder, "export.json")));
  if (manifest.format !== "promptlet-export" || manifest.version !== 1 || manifest.kind !== "onnx") {
    throw new Error(`${folder} was not made by promptlet export --to onnx, or by a newer version of it`);
  }
  const graph = manifest.graphs.find(({ inputs }) => inputs.length === 1 && inputs[0].name === "pixels");
  if (!graph) throw new Error(`${folder} has no graph that takes pixel values`);
  const arrays = await readNpz(await verified(folder, manifest, manifest.vectors));
  const facts = JSON.parse(arrays.facts.data);
  const reason = whyNot(facts.preprocessing);
  if (reason) throw new Error(`the browser cannot prepare pictures for this folder: ${reason}`);
  const externalData = [];
  for (const path of graph.more_files) externalData.push({ path, data: await verified(folder, manifest, path) });
  const model = await verified(folder, manifest, graph.file);
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"], externalData });
  return new Classifier(ort, session, graph, facts, arrays.classes.data);
}

async function fetched(folder, name) {
  const reply = await fetch(new URL(name, folder));
  if (!reply.ok) throw new Error(`${new URL(name, folder)} is not there (${reply.status}): put an exported folder in that place`);
  return new Uint8Array(await reply.arrayBuffer());
}

/** A file whose size and checksum are those of export.json. Browsers compute them on https and on localhost alone. */
async function verified(folder, manifest, name) {
  const data = await fetched(folder, name), told = manifest.files[name];
  if (!told || told.bytes !== data.length) throw new Error(`${name} is not as it was exported: copy the folder again`);
  if (globalThis.crypto?.subtle) {
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
    const digits = Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (digits !== told.sha256) throw new Error(`${name} was changed since it was exported: copy the folder again`);
  }
  return data;
}

class Classifier {
  constructor(ort, session, graph, facts, classes) {
    Object.assign(this, { ort, session, graph, facts, classes, names: facts.names });
  }

  /** Of a picture {width, height, data: RGBA}: {probabilities, features}, each float32. */
  async ask(picture) {
    const { values, height, width } = preprocess(picture, this.facts.preprocessing);
    const pixels = new this.ort.Tensor("float32", values, [1, 3, height, width]);
    const found = await this.session.run({ pixels });
    const features = found.features.data;
    return { features, probabilities: found.probabilities?.data ?? this.probabilities(features) };
  }

  /** Of a feature of length 1, for graphs of the tower alone. */
  probabilities(features) {
    const { dim, logit_scale: scale, logit_bias: bias } = this.facts;
    const logits = this.names.map((_, row) => {
      let sum = 0;
      for (let i = 0; i < dim; i += 1) sum += this.classes[row * dim + i] * features[i];
      return scale * sum + bias;
    });
    const most = Math.max(...logits), raised = logits.map((logit) => Math.exp(logit - most));
    const whole = raised.reduce((total, one) => total + one, 0);
    return Float32Array.from(raised, (one) => one / whole);
  }

  /** Whether "none of these" can be told. */
  get tellsNone() {
    return this.facts.rejection !== null;
  }

  /** Whether a feature is like those of the taught classes, with at most 95 % of own images accepted. */
  accepts(features) {
    const { centre, signs, thresholds } = this.facts.rejection;
    const percents = Object.keys(thresholds).map(Number).sort((a, b) => a - b);
    const percent = percents.filter((one) => one <= 95).pop() ?? percents[0];
    let away = 0, along = 0, middle = 0;
    for (let i = 0; i < centre.length; i += 1) {
      away += (features[i] - centre[i]) ** 2;
      along += features[i] * centre[i];
      middle += centre[i] ** 2;
    }
    let nearest = -Infinity;
    for (const row of signs) {
      let sum = 0;
      for (let i = 0; i < centre.length; i += 1) sum += (features[i] - centre[i]) * (row[i] === "+" ? 1 : -1);
      nearest = Math.max(nearest, sum);
    }
    const score = (away ? nearest / Math.sqrt(away * centre.length) : 0) + (middle ? along / Math.sqrt(middle) / 2 : 0);
    return score >= thresholds[String(percent)];
  }
}
