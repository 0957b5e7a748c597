// The page: a picture is dropped or chosen, and answered. Nothing leaves this machine.
// ?folder=ADDRESS/ takes another exported folder, ?image=ADDRESS asks about a picture at once: both of this site alone.

import { openExported } from "./classifier.js";

const RUNTIME = "./vendor/ort.wasm.min.mjs";
const SHOWN = 5, SHOWN_NAMES = 8;
const at = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);

start().catch(wrong);

async function start() {
  const ort = await import(RUNTIME).catch(() => {
    throw new Error("onnxruntime-web is not in vendor/: docs/how-to/in-the-browser.md says which three files to copy there");
  });
  ort.env.wasm.wasmPaths = new URL("./vendor/", import.meta.url).href;
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const folder = ownAddress(asked.get("folder") ?? "exported/");
  const classifier = await openExported(folder.href.endsWith("/") ? folder : new URL(`${folder.href}/`), ort);
  const more = classifier.names.length > SHOWN_NAMES ? ", …" : "";
  const known = `Knows ${classifier.names.length} classes: ${classifier.names.slice(0, SHOWN_NAMES).join(", ")}${more}`;
  at("state").textContent = known;
  at("about").textContent = `Method ${classifier.facts.method}, backbone ${classifier.facts.backbone || "not named"}, ${classifier.graph.precision}. The picture stays on this machine.`;
  listen(async (picture) => {
    await ask(classifier, picture);
    at("state").textContent = known; // in the place of what went wrong before
  });
  at("reject").disabled = !classifier.tellsNone;
  const first = asked.get("image");
  if (first) await ask(classifier, await (await fetch(ownAddress(first))).blob());
}

function ownAddress(text) {
  const address = new URL(text, location.href);
  if (address.origin !== location.origin) throw new Error(`${address} is of another site; nothing is loaded from there`);
  return address;
}

function listen(take) {
  const [drop, file] = [at("drop"), at("file")];
  let last = null, turn = Promise.resolve();
  const taken = (picture) => {
    if (!picture) return;
    last = picture;
    turn = turn.then(() => take(picture)).catch(wrong); // one after the other
  };
  file.disabled = false;
  file.addEventListener("change", () => taken(file.files[0]));
  at("reject").addEventListener("change", () => taken(last));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop") taken(event.dataTransfer.files[0]);
    });
  }
}

/** Upright, without the colours of a profile and without alpha mixed in, as Promptlet reads pictures. */
async function read(file) {
  const told = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(file, told).catch(() => {
    throw new Error("this browser cannot read that as a picture");
  });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

async function ask(classifier, file) {
  at("state").classList.remove("wrong");
  const began = performance.now(), picture = await read(file);
  const { probabilities, features } = await classifier.ask(picture);
  const took = performance.now() - began;
  const isNone = at("reject").checked && !classifier.accepts(features);
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]).slice(0, SHOWN);
  URL.revokeObjectURL(at("seen").src);
  at("seen").src = URL.createObjectURL(file);
  at("answer").textContent = isNone ? "None of these" : classifier.names[order[0]];
  at("likeliest").replaceChildren(...order.map((row) => line(classifier.names[row], probabilities[row])));
  at("told").textContent = `${picture.width} × ${picture.height} pixels, ${took.toFixed(0)} ms`;
  at("result").hidden = false;
  document.body.dataset.answered = String(Number(document.body.dataset.answered ?? 0) + 1);
}

function line(name, probability) {
  const row = document.createElement("tr"), bar = document.createElement("meter");
  bar.value = probability;
  for (const content of [name, bar, `${(100 * probability).toFixed(1)} %`]) {
    row.insertCell().append(content);
  }
  return row;
}

function wrong(error) {
  at("state").classList.add("wrong");
  at("state").textContent = error.message;
  document.body.dataset.failed = "true";
}
