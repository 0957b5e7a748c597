// From a picture to what the image tower reads, as Promptlet and Pillow 13 do it, to the last bit: the filter's weights
// have 22 bits behind the point, each of the two passes is rounded to 8 bits, the last steps are in float32.
// What a canvas resizes by itself has other pixels, and so other features.

const BITS = 22;
const CUBIC = -0.5;
const FILTERS = {
  bilinear: [1, (x) => (x < 1 ? 1 - x : 0)],
  bicubic: [
    2,
    (x) => (x < 1 ? ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * CUBIC : 0),
  ],
};

/** Why a preprocessing (of the facts of class vectors) cannot be done here; nothing where it can. */
export function whyNot(spec) {
  if (!spec) return "these class vectors are of features, not of pictures";
  if (spec.resize !== "shortest" && spec.resize !== "exact") return `pictures are resized in another way (${spec.resize})`;
  return spec.filter in FILTERS ? "" : `its filter is ${spec.filter}`;
}

/** Pixel values, float32 (3, h, w), of a picture {width, height, data: RGBA}; {values, height, width}. */
export function preprocess(picture, spec) {
  const [height, width] = sizeOf(picture, spec);
  const resized = resize(picture, width, height, spec.filter);
  const [rows, columns] = spec.crop ?? [height, width];
  const half = spec.crop_rounding === "nearest" ? evenHalf : (n) => Math.floor(n / 2);
  const top = half(height - rows), left = half(width - columns);
  const values = new Float32Array(3 * rows * columns), round = Math.fround;
  const scale = round(spec.scale), mean = spec.mean.map(round), std = spec.std.map(round);
  for (let channel = 0; channel < 3; channel += 1) {
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < columns; x += 1) {
        const isInside = y + top >= 0 && y + top < height && x + left >= 0 && x + left < width;
        const level = isInside ? resized[((y + top) * width + x + left) * 3 + channel] : 0;
        const shown = round(round(round(level * scale) - mean[channel]) / std[channel]);
        values[(channel * rows + y) * columns + x] = shown;
      }
    }
  }
  return { values, height: rows, width: columns };
}

function evenHalf(n) {
  const low = Math.floor(n / 2);
  return n % 2 === 0 || low % 2 === 0 ? low : low + 1;
}

function sizeOf({ width, height }, spec) {
  if (spec.resize === "exact") return spec.size;
  const short = spec.size[0];
  return width <= height
    ? [Math.trunc((short * height) / width), short]
    : [short, Math.trunc((short * width) / height)];
}

function resize(picture, width, height, filter) {
  let levels = { data: withoutAlpha(picture), width: picture.width, height: picture.height };
  const fewer = picture.height - height, narrower = picture.width - width;
  const isDownFirst = fewer > 0 && fewer > 2 * narrower;
  for (const isDown of isDownFirst ? [true, false] : [false, true]) {
    levels = isDown ? down(levels, height, filter) : across(levels, width, filter);
  }
  return levels.data;
}

function withoutAlpha({ data, width, height }) {
  const levels = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < levels.length; from += 4, to += 3) {
    levels[to] = data[from];
    levels[to + 1] = data[from + 1];
    levels[to + 2] = data[from + 2];
  }
  return levels;
}

function across(levels, width, filter) {
  if (width === levels.width) return levels;
  const found = new Uint8Array(width * levels.height * 3), weights = weightsOf(levels.width, width, filter);
  for (let y = 0; y < levels.height; y += 1) {
    pass(levels.data, y * levels.width * 3, 3, weights, found, y * width * 3, 3);
  }
  return { data: found, width, height: levels.height };
}

function down(levels, height, filter) {
  if (height === levels.height) return levels;
  const found = new Uint8Array(levels.width * height * 3), weights = weightsOf(levels.height, height, filter);
  const stride = levels.width * 3;
  for (let x = 0; x < levels.width; x += 1) pass(levels.data, x * 3, stride, weights, found, x * 3, stride);
  return { data: found, width: levels.width, height };
}

function pass(levels, start, step, weights, found, first, stride) {
  for (let to = 0; to < weights.length; to += 1) {
    const { from, own } = weights[to];
    for (let channel = 0; channel < 3; channel += 1) {
      let sum = 2 ** (BITS - 1);
      for (let i = 0; i < own.length; i += 1) sum += levels[start + (from + i) * step + channel] * own[i];
      found[first + to * stride + channel] = Math.min(255, Math.max(0, Math.floor(sum / 2 ** BITS)));
    }
  }
}

function weightsOf(old, size, filter) {
  const [reach, weigh] = FILTERS[filter];
  const scale = old / size, wide = Math.max(scale, 1), support = reach * wide;
  return Array.from({ length: size }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(old, Math.trunc(centre + support + 0.5));
    const exact = Array.from({ length: end - from }, (_, i) => weigh(Math.abs((i + from - centre + 0.5) / wide)));
    const sum = exact.reduce((total, one) => total + one, 0);
    const own = exact.map((one) => Math.trunc((one / sum) * 2 ** BITS + (one < 0 ? -0.5 : 0.5)));
    return { from, own };
  });
}
