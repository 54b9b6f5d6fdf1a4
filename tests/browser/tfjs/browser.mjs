/**
 * Opens the demo's page in Chromium, gives it a photo and prints JSON of what it then shows:
 * {state, backend, top: [{sku, name, probability}], status, verdict, problem, errors, foreign}.
 *
 * node browser.mjs --url <page> [--photo <file> | --drop <file> | --sample <number>]
 *   [--prepare <photo> --prepared <file>]   write the pixels that the page makes of it: 224 × 224 × 3 bytes
 *   [--shot-before <shot>]... [--shot <shot>]...   <shot> is width:light|dark:file.png
 *   [--touch] [--timeout <seconds>]
 */

import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { launch } from "./chromium.mjs";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    photo: { type: "string" },
    drop: { type: "string" },
    sample: { type: "string" },
    prepare: { type: "string" },
    prepared: { type: "string" },
    "shot-before": { type: "string", multiple: true, default: [] },
    shot: { type: "string", multiple: true, default: [] },
    touch: { type: "boolean", default: false },
    timeout: { type: "string", default: "60" },
  },
});
const timeout = Number(options.timeout) * 1000;

async function main() {
  if (!options.url) throw new Error("Say which page to open: --url http://127.0.0.1:8000/");
  const browser = await launch(timeout);
  try {
    const page = await browser.newPage({ hasTouch: options.touch, isMobile: options.touch, deviceScaleFactor: 2 });
    page.setDefaultTimeout(timeout);
    return await visit(page);
  } finally {
    await browser.close();
  }
}

async function visit(page) {
  const seen = watch(page);
  await page.goto(options.url);
  await settled(page, ["ready", "refused"], seen);
  await takeShots(page, options["shot-before"]);
  if (await give(page)) await settled(page, ["done", "problem"], seen);
  await takeShots(page, options.shot);
  if (options.prepare) await writeFile(options.prepared, await prepared(page));
  return { ...(await page.evaluate(shown)), ...seen };
}

/** Collects what should not happen: errors on the console, and requests that leave the server. */
function watch(page) {
  const seen = { errors: [], foreign: [] };
  const { origin } = new URL(options.url);
  page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== origin) seen.foreign.push(request.url());
  });
  return seen;
}

async function give(page) {
  if (options.photo) await page.setInputFiles("#file", options.photo);
  else if (options.drop) await drop(page, options.drop);
  else if (options.sample) await page.locator("#sample-grid button").nth(Number(options.sample)).click();
  else return false;
  return true;
}

async function drop(page, path) {
  const file = { name: basename(path), base64: await readFile(path, "base64") };
  const transfer = await page.evaluateHandle(filled, file);
  await page.dispatchEvent("#stage", "drop", { dataTransfer: transfer });
}

async function prepared(page) {
  const base64 = await readFile(options.prepare, "base64");
  return Buffer.from(await page.evaluate(pixelsOf, base64));
}

async function settled(page, states, seen) {
  try {
    await page.waitForSelector(states.map((state) => `html[data-state="${state}"]`).join(", "));
  } catch (error) {
    const { state, status } = await page.evaluate(shown);
    throw new Error(
      `The page was to become ${states.join(" or ")} and is ${state}, saying “${status}”, ` +
        `after ${options.timeout} seconds. Console errors: ${JSON.stringify(seen.errors)}. ` +
        "Give it longer with --timeout, or look at the page yourself.",
      { cause: error },
    );
  }
}

async function takeShots(page, shots) {
  for (const shot of shots) {
    const [, width, colorScheme, path] = shot.match(/^(\d+):(light|dark):(.+)$/) ?? [];
    if (!path) throw new Error(`“${shot}” is no shot; write it as 375:dark:phone.png`);
    await page.setViewportSize({ width: Number(width), height: 800 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.screenshot({ path, fullPage: true });
  }
}

// The functions below run in the page.

function shown() {
  const text = (id) => document.getElementById(id).textContent;
  const { state, backend } = document.documentElement.dataset;
  const top = [...document.querySelectorAll(".answer")].map((answer) => ({
    sku: answer.dataset.sku,
    name: answer.querySelector(".name").textContent,
    probability: Number(answer.dataset.probability),
  }));
  return { state, backend, top, status: text("status"), verdict: text("verdict"), problem: text("problem") };
}

function filled({ name, base64 }) {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], name));
  return transfer;
}

async function pixelsOf(base64) {
  const { decodePhoto, preparePhoto } = await import("/photo.js");
  const photo = new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))]);
  return Array.from(preparePhoto(await decodePhoto(photo)));
}

try {
  stdout.write(`${JSON.stringify(await main())}\n`);
} catch (error) {
  stderr.write(`${error.stack}\n`);
  exit(1);
}
