#!/usr/bin/env node
// Writes dist/man/strata.1 and strata-overlay.1 out of the programs' own help. Run after tsc, by
// `npm run build`.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const source = join(dist, "src/cli");
const { buildProgram } = await import(join(source, "program.js"));
const { commandPage, textPage } = await import(join(source, "man-page.js"));
const { HELP } = await import(join(source, "overlay/help.js"));

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
// One build of one version is like another.
const epoch = process.env.SOURCE_DATE_EPOCH;
const now = epoch === undefined ? new Date() : new Date(Number(epoch) * 1000);
const date = now.toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
const title = { version: manifest.version, date };

const target = join(dist, "man");
mkdirSync(target, { recursive: true });
writeFileSync(join(target, "strata.1"), commandPage(buildProgram(), title));
const summary = "mount directories as one tree, with fuse-overlayfs' command line";
writeFileSync(join(target, "strata-overlay.1"), textPage("strata-overlay", summary, HELP, title));
