/** Takes photos from the camera, a file, a drop or a paste, and shows the products that the model predicts. */

import { decodePhoto, preparePhoto } from "./photo.js";
import { ModelProblem, loadRecogniser } from "./recogniser.js";
import * as view from "./view.js";

const UNSURE = 0.5;

const loading = loadRecogniser((share) => view.showStatus(`Loading the model, ${Math.round(share * 100)}%`));
const verdicts = new Map();
let samples = [];
let latest = 0;

start();

async function start() {
  // Not a media query: pointer queries miss touch devices that also have a mouse.
  document.documentElement.classList.toggle("touch", navigator.maxTouchPoints > 0);
  listenForPhotos();
  try {
    const recogniser = await loading;
    view.setBackend(recogniser.backend);
    view.showFacts(recogniser.metadata);
  } catch (error) {
    view.showProblem(error instanceof ModelProblem ? error.message : unexpected(error));
    view.setState("refused");
    return;
  }
  await showSamples();
  if (latest === 0) {
    view.showStatus("Ready for a photo");
    view.setState("ready");
  }
}

async function showSamples() {
  const answer = await fetch("/samples.json").catch(() => undefined);
  samples = answer?.ok ? await answer.json() : [];
  view.showSamples(samples, (sample, index) => {
    document.getElementById("desk").scrollIntoView({ block: "nearest" });
    trySample(sample, index);
  });
  document.getElementById("try-all").addEventListener("click", tryAllSamples);
}

function listenForPhotos() {
  for (const input of document.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      if (input.files[0]) recognise(input.files[0]);
      // The same photo may be chosen twice in a row.
      input.value = "";
    });
  }
  document.getElementById("stage").addEventListener("click", () => document.getElementById("file").click());
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      const isLeaving = kind === "drop" || (kind === "dragleave" && !event.relatedTarget);
      document.documentElement.classList.toggle("dragging", !isLeaving);
    });
  }
  addEventListener("drop", (event) => takeOver(event.dataTransfer));
  addEventListener("paste", (event) => takeOver(event.clipboardData));
}

function takeOver(transfer) {
  const file = transfer?.files[0];
  if (file) recognise(file);
  else fail("That holds no photo: save the picture as a file first, then drop or paste the file.");
}

/** Returns whether there was an answer; false when it failed or another photo came first. */
async function trySample(sample, index) {
  const photo = await fetch(sample.url)
    .then((answer) => (answer.ok ? answer.blob() : undefined))
    .catch(() => undefined);
  if (!photo) {
    fail(`Sample photo ${index + 1} did not come from the server; see that it is running, or choose another.`);
    return false;
  }
  const top = await recognise(photo, sample, index);
  if (!top) return false;
  verdicts.set(index, top[0].sku === sample.sku);
  view.markSample(index, verdicts.get(index));
  view.showScore([...verdicts.values()].filter(Boolean).length, verdicts.size);
  return true;
}

async function tryAllSamples() {
  for (const [index, sample] of samples.entries()) {
    if (!(await trySample(sample, index))) return;
  }
}

/** Shows and returns the most likely products; undefined when it failed or another photo came first. */
async function recognise(file, sample, sampleIndex) {
  latest += 1;
  const mine = latest;
  view.setState("busy");
  view.showProblem();
  view.markCurrentSample(sampleIndex);
  const recogniser = await loading.catch(() => undefined);
  if (!recogniser) return undefined;
  try {
    const begin = performance.now();
    const bitmap = await decodePhoto(file).catch(() => undefined);
    const top = bitmap && (await recogniser.topThree(preparePhoto(bitmap)));
    const took = performance.now() - begin;
    bitmap?.close();
    if (mine !== latest) return undefined;
    if (top) show(file, top, took, verdict(top, sample, recogniser.products));
    else fail(`${nameOf(file)} is not a photo this browser can read. Try a JPEG, PNG or WebP.`);
    return top;
  } catch (error) {
    if (mine === latest) fail(unexpected(error));
    return undefined;
  }
}

function show(file, top, took, [text, kind]) {
  view.showPhoto(URL.createObjectURL(file));
  view.showAnswers(top);
  view.showVerdict(text, kind);
  view.showStatus(`Answered in ${Math.max(1, Math.round(took))} ms`);
  view.setState("done");
}

function verdict(top, sample, products) {
  if (!sample) {
    const unsure = "Not sure. Try again with the product alone and filling the picture.";
    return top[0].probability < UNSURE ? [unsure, "unsure"] : [];
  }
  if (top[0].sku === sample.sku) return ["Right", "right"];
  const name = products.find((product) => product.sku === sample.sku)?.name ?? sample.sku;
  return [`Wrong: it is ${name}`, "wrong"];
}

function fail(sentence) {
  latest += 1;
  view.showPhoto();
  view.showAnswers([]);
  view.showVerdict();
  view.showStatus("");
  view.showProblem(sentence);
  view.setState("problem");
}

function nameOf(file) {
  return file.name ? `“${file.name}”` : "That";
}

function unexpected(error) {
  return `Something went wrong in this browser: ${error.message}. Load the page again.`;
}
