/** A headless Chromium out of npm packages alone: no browser, library or font of the system is needed. */

import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import bundle, { inflate } from "@sparticuz/chromium";
import { chromium } from "playwright-core";

const PACKAGE = dirname(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))));
const CACHE = join(dirname(dirname(PACKAGE)), ".cache");

/** Starts it; whoever calls closes it. */
export async function launch(timeout) {
  if (process.platform !== "linux" || process.arch !== "x64") {
    const here = `${process.platform} on ${process.arch}`;
    throw new Error(`The tests' Chromium is built for Linux on x64, and this is ${here}; run them there.`);
  }
  const folder = await unpacked();
  return chromium.launch({
    executablePath: join(folder, "chromium"),
    timeout,
    args: [
      // Root, as in most containers, may not use the sandbox; only our own page is opened.
      "--no-sandbox",
      "--disable-dev-shm-usage",
      // WebGL on the processor, as there is no graphics card to count on.
      "--use-gl=angle",
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
      "--ignore-gpu-blocklist",
      "--font-render-hinting=none",
    ],
    env: {
      ...process.env,
      HOME: folder,
      XDG_CACHE_HOME: join(folder, "cache"),
      XDG_CONFIG_HOME: join(folder, "config"),
      LD_LIBRARY_PATH: join(folder, "al2023", "lib"),
      FONTCONFIG_FILE: join(folder, "fonts.conf"),
    },
  });
}

/** The folder Chromium is unpacked in; made whole and then renamed, so that a run cut short leaves no half of it. */
async function unpacked() {
  const { version } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  const folder = join(CACHE, `chromium-${version}`);
  if (await exists(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const making = await mkdtemp(`${folder}-`);
  await unpackInto(making);
  await writeFile(join(making, "fonts.conf"), fonts(folder));
  try {
    await rename(making, folder);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    if (!(await exists(folder))) throw error;
  }
  return folder;
}

/** The package unpacks into the temporary folder, whichever that is. */
async function unpackInto(folder) {
  const { TMPDIR: before } = process.env;
  process.env.TMPDIR = folder;
  try {
    await bundle.executablePath();
    await inflate(join(PACKAGE, "bin", "al2023.tar.br"));
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

const exists = (path) => stat(path).then(() => true, () => false);

const fonts = (folder) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${folder}/fonts</dir>
  <cachedir>${folder}/cache/fontconfig</cachedir>
</fontconfig>
`;
