// NumPy's files: .npz is a zip of .npy, and .npy a line of text before the numbers.

const END = 0x06054b50, ENTRY = 0x02014b50;
const KINDS = { "<f4": Float32Array, "<f8": Float64Array };

/** The arrays of an .npz file by name: {shape, data}, of a text without dimensions its data is a string. */
export async function readNpz(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new Error("it is no .npz file, or cut off");
  const arrays = {};
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error("its list of files is damaged");
    const method = view.getUint16(at + 10, true), packed = view.getUint32(at + 20, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + view.getUint16(at + 28, true)));
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const data = bytes.subarray(start, start + packed);
    arrays[name.replace(/\.npy$/, "")] = readNpy(method === 0 ? data : await inflated(data));
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return arrays;
}

async function inflated(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One .npy: floats, or a text. Nothing else is read, and no pickle. */
export function readNpy(bytes) {
  if (String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY") throw new Error("it is no .npy file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [size, from] = bytes[6] === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  const head = new TextDecoder().decode(bytes.subarray(from, from + size));
  const kind = /'descr': '([^']+)'/.exec(head)?.[1] ?? "";
  const shape = (/'shape': \(([^)]*)\)/.exec(head)?.[1] ?? "").split(",").map((n) => n.trim()).filter(Boolean).map(Number);
  const content = bytes.slice(from + size).buffer;
  if (/^<U\d+$/.test(kind)) return { shape, data: decodeUtf32(new Uint32Array(content)) };
  if (!(kind in KINDS) || /'fortran_order': True/.test(head)) throw new Error(`it holds ${kind || "something"}, no floats`);
  return { shape, data: new KINDS[kind](content) };
}

function decodeUtf32(codes) {
  let text = "";
  for (const code of codes) if (code) text += String.fromCodePoint(code);
  return text;
}
