/**
 * Opens a file in Chromium and prints JSON of what it shows and does:
 * {heading, width, scripted, errors, requests, pictures}. `width` is that of the content, in CSS pixels.
 *
 * node report.mjs <file> <width> [--bypass-csp]   the flag shows what the page does without its own policy
 */

import { argv, exit, stderr, stdout } from "node:process";
import { pathToFileURL } from "node:url";
import { launch } from "./chromium.mjs";

async function main() {
  const [file, width, flag] = argv.slice(2);
  const browser = await launch(60_000);
  try {
    const page = await browser.newPage({
      viewport: { width: Number(width), height: 800 },
      bypassCSP: flag === "--bypass-csp",
    });
    return await visit(page, pathToFileURL(file).href);
  } finally {
    await browser.close();
  }
}

async function visit(page, address) {
  const seen = { errors: [], requests: [] };
  page.on("console", (message) => seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("dialog", (dialog) => seen.errors.push(dialog.message()) && dialog.dismiss());
  page.on("request", (request) => {
    if (request.url() !== address && !request.url().startsWith("data:")) seen.requests.push(request.url());
  });
  await page.goto(address);
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  return { ...(await page.evaluate(shown)), ...seen };
}

// Runs in the page.
function shown() {
  const pictures = [...document.images];
  return {
    heading: document.querySelector("h1").textContent,
    width: document.documentElement.scrollWidth,
    scripted: window.scripted ?? false,
    pictures: pictures.filter((picture) => picture.naturalWidth > 0).length,
  };
}

try {
  stdout.write(`${JSON.stringify(await main())}\n`);
} catch (error) {
  stderr.write(`${error.stack}\n`);
  exit(1);
}
