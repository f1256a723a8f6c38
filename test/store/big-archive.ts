// An archive large enough that a load of it can be interrupted anywhere.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { archiveOf, dockerMembers } from "../image/archives.js";
import { type Scratch, tarOf, writeTree } from "./fixture.js";

/** Writes an archive of two layers, a few MB in some hundred files, with the name big:1. Returns its path. */
export async function bigArchive(scratch: Scratch): Promise<string> {
  const layers = [1, 2].map((n) => {
    const files = Array.from({ length: 300 }, (_, file) => [
      `layer${n}/d${file % 10}/f${file}`,
      randomBytes(4000).toString("hex"),
    ]);
    return tarOf(
      writeTree(scratch.join(`${n}`), Object.fromEntries(files) as Record<string, string>),
    );
  });
  const path = scratch.join("big.tar");
  writeFileSync(path, await archiveOf(dockerMembers(layers, ["big:1"])));
  return path;
}
