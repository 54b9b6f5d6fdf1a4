/** Prepares a photo as in training: upright, on white, stretched to 224 × 224, RGB 0 to 255. */

export const SIDE = 224;

/** Decodes the photo in a file, turned upright; throws where the browser cannot read it. */
export function decodePhoto(file) {
  return createImageBitmap(file, {
    imageOrientation: "from-image",
    // The training ignores colour profiles too.
    colorSpaceConversion: "none",
  });
}

/** Returns the pixels of a decoded photo, row by row, as the model's input. */
export function preparePhoto(bitmap) {
  const { canvas, context } = draw(bitmap, ...firstSize(bitmap.width, bitmap.height));
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return shrink(data, canvas.width, canvas.height);
}

/** Size and number of halvings by the browser, which are fast and exact; `shrink` does the rest. */
function firstSize(width, height) {
  let halvings = 0;
  while (halvings < 3 && Math.min(width, height) >> (halvings + 1) >= 2 * SIDE) halvings += 1;
  return [width, height, halvings];
}

function draw(bitmap, width, height, halvings) {
  let picture = bitmap;
  let drawn;
  for (let step = Math.min(1, halvings); step <= halvings; step += 1) {
    drawn = blank(Math.ceil(width / 2 ** step), Math.ceil(height / 2 ** step));
    drawn.context.drawImage(picture, 0, 0, drawn.canvas.width, drawn.canvas.height);
    picture = drawn.canvas;
  }
  return drawn;
}

function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.imageSmoothingEnabled = true;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  return { canvas, context };
}

/** Resizes RGBA of any size to RGB of SIDE × SIDE with a triangle filter as wide as the reduction needs. */
export function shrink(rgba, width, height) {
  const narrow = new Uint8ClampedArray(SIDE * height * 3);
  triangles(width).forEach(({ first, weights }, column) => {
    for (let row = 0; row < height; row += 1) {
      const from = (row * width + first) * 4;
      blend(rgba, from, 4, weights, narrow, (row * SIDE + column) * 3);
    }
  });
  const small = new Uint8ClampedArray(SIDE * SIDE * 3);
  triangles(height).forEach(({ first, weights }, row) => {
    for (let column = 0; column < SIDE; column += 1) {
      const from = (first * SIDE + column) * 3;
      blend(narrow, from, SIDE * 3, weights, small, (row * SIDE + column) * 3);
    }
  });
  return Float32Array.from(small);
}

function blend(source, from, stride, weights, target, to) {
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let i = 0, at = from; i < weights.length; i += 1, at += stride) {
    red += source[at] * weights[i];
    green += source[at + 1] * weights[i];
    blue += source[at + 2] * weights[i];
  }
  target[to] = red;
  target[to + 1] = green;
  target[to + 2] = blue;
}

/** For each of the SIDE pixels: the index of its first source pixel among `size`, and the weights from there on. */
function triangles(size) {
  const scale = size / SIDE;
  const reach = Math.max(scale, 1);
  return Array.from({ length: SIDE }, (_, pixel) => {
    const centre = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(size, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: end - first }, (_, i) =>
      Math.max(0, 1 - Math.abs((first + i - centre + 0.5) / reach)),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}
