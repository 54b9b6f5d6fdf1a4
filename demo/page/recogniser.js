/** Loads a published model from the server's /model/, and checks it before use. */

import { SIDE } from "./photo.js";

const tf = globalThis.tf;

/** The model cannot be used here; the message is a sentence for the user. */
export class ModelProblem extends Error {}

/** Loads, checks and warms up the model; calls `onProgress` with the loaded share of the weights. */
export async function loadRecogniser(onProgress) {
  if (!tf) {
    throw new ModelProblem(
      "TensorFlow.js did not load, so nothing can be recognised. Install the JavaScript packages, " +
        "without which the server has no /vendor/tf.min.js, and load the page again.",
    );
  }
  const metadata = await readJson("metadata.json");
  if (metadata.label_scheme !== "sku") {
    throw new ModelProblem(
      `This model was not loaded: its metadata.json says the labels are “${metadata.label_scheme}”, ` +
        "and this page only understands “sku”. Publish a model of this shop's products and load the page again.",
    );
  }
  const products = productsInOrder(metadata, await readJson("product_mapping.json"));
  const recogniser = new Recogniser(metadata, products);
  await recogniser.load(onProgress);
  return recogniser;
}

class Recogniser {
  constructor(metadata, products) {
    this.metadata = metadata;
    this.products = products;
  }

  async load(onProgress) {
    const problems = [];
    for (const backend of ["webgl", "cpu"]) {
      try {
        if (!(await tf.setBackend(backend))) throw new Error("not available");
        await tf.ready();
        this.model = await tf.loadGraphModel("/model/model.json", { onProgress });
        // The first run compiles the model, and checks that this device computes finite numbers.
        await this.probabilities(new Float32Array(SIDE * SIDE * 3).fill(255));
        this.backend = backend;
        return;
      } catch (error) {
        if (error instanceof ModelProblem) throw error;
        problems.push(`${backend}: ${error.message}`);
        this.model?.dispose();
      }
    }
    throw new ModelProblem(
      `The model could not be loaded (${problems.join("; ")}). Publish it again, or try another browser.`,
    );
  }

  async probabilities(pixels) {
    const output = tf.tidy(() => this.model.predict(tf.tensor4d(pixels, [1, SIDE, SIDE, 3], "float32")));
    const values = await output.data();
    output.dispose();
    if (values.length !== this.products.length) {
      throw new ModelProblem(
        `This model was not loaded: it tells ${values.length} products apart, ` +
          `but its metadata.json names ${this.products.length}. Publish it again.`,
      );
    }
    if (!values.every(Number.isFinite)) throw new Error("the answer is not a number");
    return values;
  }

  /** Returns the three most likely products, the most likely first. */
  async topThree(pixels) {
    const values = await this.probabilities(pixels);
    return Array.from(values, (probability, index) => ({ probability, ...this.products[index] }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, 3);
  }
}

function productsInOrder(metadata, mapping) {
  const byIndex = new Map(mapping.products.map((product) => [product.index, product]));
  return metadata.labels.map((sku, index) => {
    const product = byIndex.get(index);
    if (product?.sku !== sku) {
      throw new ModelProblem(
        `This model was not loaded: output ${index} is ${sku} in metadata.json ` +
          `and ${product?.sku ?? "nothing"} in product_mapping.json. Publish it again.`,
      );
    }
    return { sku, name: product.name };
  });
}

async function readJson(name) {
  try {
    const answer = await fetch(`/model/${name}`);
    if (answer.ok) return await answer.json();
    throw new Error(answer.status === 404 ? "there is no such file" : `the server answered ${answer.status}`);
  } catch (error) {
    throw new ModelProblem(
      `No model could be loaded: ${name} was not readable (${error.message}). ` +
        "Publish a model, or point the server at the folder of one, and load the page again.",
    );
  }
}
