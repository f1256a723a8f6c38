// Entry file of an agent: the process that mounts a subject and works in the merged tree, perhaps in
// a user namespace. One per mount. It never serves the mount: that is another process.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type MountJob, mountInProcess, unmount } from "../src/fuse/index.js";
import type { Reply, Request } from "./operation.js";
import { perform, secondsSince } from "./perform.js";
import { PROFILE_VARIABLE } from "./profile-name.js";

const PRELOAD = new URL("./profile-preload.js", import.meta.url).href;

async function mountStrata(job: MountJob, profile: string | undefined): Promise<void> {
  if (profile !== undefined) {
    // The mount process inherits both; this process has started already.
    process.env["NODE_OPTIONS"] = `--import=${PRELOAD}`;
    process.env[PROFILE_VARIABLE] = profile;
  }
  await mountInProcess(job);
  delete process.env["NODE_OPTIONS"];
}

async function answer(request: Request): Promise<number> {
  const begin = process.hrtime.bigint();
  switch (request.kind) {
    case "mount-strata":
      await mountStrata(request.job, request.profile);
      return secondsSince(begin);
    case "unmount-strata":
      await unmount(request.target);
      return secondsSince(begin);
    case "command":
      // Not a pipe: a daemon that keeps it open would be waited for.
      execFileSync(request.command, request.options, { cwd: request.folder, stdio: "ignore" });
      return secondsSince(begin);
    case "run":
      return perform(request.operation, request);
  }
}

async function reply(request: Request): Promise<Reply> {
  try {
    return { kind: "done", seconds: await answer(request) };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

process.on("message", (request: Request) => {
  void reply(request).then((message) => process.send?.(message));
});
process.on("disconnect", () => process.exit(0));
process.stdout.write(`${fileURLToPath(import.meta.url)} ready\n`);
