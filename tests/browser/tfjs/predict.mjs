/**
 * node predict.mjs <model folder> <pixels file> <n>
 *
 * The pixels are n photos of 224 × 224 × 3 bytes; prints JSON:
 * {probabilities, scores, input, output}.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import * as tf from "@tensorflow/tfjs";

const PHOTO = [224, 224, 3];

async function main() {
  const [folder, pixelsFile, count] = argv.slice(2);
  if (!count) throw new Error("Call it as: node predict.mjs <model folder> <pixels file> <number of photos>");
  const photos = [Number(count), ...PHOTO];
  const bytes = await readFile(pixelsFile);
  const wanted = photos.reduce((a, b) => a * b);
  if (bytes.length !== wanted) {
    throw new Error(`${pixelsFile} has ${bytes.length} bytes, and ${count} photos have ${wanted}.`);
  }
  await tf.setBackend("cpu");
  const model = await tf.loadGraphModel(fromFolder(folder));
  const pixels = tf.tensor4d(Float32Array.from(bytes), photos, "float32");
  const [output, scores] = model.execute(pixels, ["probabilities", "score"]);
  // One photo is enough to see that the signature still gives one tensor: in plain JavaScript it takes seconds.
  const alone = model.predict(pixels.slice(0, 1));
  if (tf.notEqual(alone, output.slice(0, 1)).any().dataSync()[0]) throw new Error("predict() says something else.");
  return {
    probabilities: await output.array(),
    scores: await scores.array(),
    input: describe(model.inputs[0]),
    // The graph's last node names no shape, so the answer itself is asked.
    output: describe(output),
  };
}

/** TensorFlow.js's own loader takes addresses of a server; this one takes a folder. */
function fromFolder(folder) {
  return {
    async load() {
      const text = await readFile(join(folder, "model.json"), "utf8");
      const { modelTopology, weightsManifest, ...rest } = JSON.parse(text);
      const shards = await Promise.all(
        weightsManifest.flatMap(({ paths }) => paths).map((path) => readFile(join(folder, path))),
      );
      const weights = Buffer.concat(shards);
      return {
        ...rest,
        modelTopology,
        weightSpecs: weightsManifest.flatMap((group) => group.weights),
        weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength),
      };
    },
  };
}

function describe({ shape, dtype }) {
  return { shape, dtype };
}

try {
  stdout.write(`${JSON.stringify(await main())}\n`);
} catch (error) {
  stderr.write(`${error.stack}\n`);
  exit(1);
}
