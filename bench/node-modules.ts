// Makes what an npm installation makes: many packages of small files, several at a time, each with
// its own directories, modes and links to programs. No registry has a part in it.

import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

const AT_A_TIME = 8;
const MODULES_EACH = 24;

/** Fills a new directory. */
export async function makeNodeModules(directory: string, packages: number): Promise<void> {
  await mkdir(join(directory, ".bin"), { recursive: true });
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < packages) await makePackage(directory, next++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

async function makePackage(directory: string, index: number): Promise<void> {
  const name = `package-${index}`;
  const home = join(directory, name);
  await mkdir(join(home, "dist", "internal"), { recursive: true });
  await mkdir(join(home, "bin"));
  await writeFile(join(home, "package.json"), JSON.stringify({ name, version: "1.0.0" }));
  for (let at = 0; at < MODULES_EACH; at++) {
    const folder = at % 3 === 0 ? join(home, "dist", "internal") : join(home, "dist");
    const sizeBytes = 200 + ((index * 31 + at * 977) % 8000);
    await writeFile(join(folder, `module-${at}.js`), Buffer.alloc(sizeBytes, "// a module\n"));
  }
  const program = join(home, "bin", "run.js");
  await writeFile(program, "#!/usr/bin/env node\n");
  await chmod(program, 0o755);
  await symlink(join("..", name, "bin", "run.js"), join(directory, ".bin", name));
}
