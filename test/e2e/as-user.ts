// Programs run as an ordinary user who may open /dev/fuse.

import { accessSync, chmodSync, constants } from "node:fs";
import { dirname } from "node:path";
import { run, tryRun } from "./run-program.js";
import { strataMain, type Workplace } from "./workplace.js";

export const USER = 1000;

/** As USER, with a /dev/fuse that everybody may open; all mounts are gone with the script's end. */
export async function runAsUser(place: Workplace, script: string): Promise<string> {
  const device = place.at("fuse");
  await run("mknod", [device, "c", "10", "229"]);
  chmodSync(device, 0o666);
  const asUser = 'exec setpriv --reuid "$1" --regid "$1" --clear-groups sh -ec "$2"';
  const whole = `mount --bind '${device}' /dev/fuse; ${asUser}`;
  const argv = ["-m", "--propagation", "private", "sh", "-ec", whole, "sh", String(USER), script];
  return await run("unshare", argv, { env: { HOME: place.at("home"), XDG_RUNTIME_DIR: "" } });
}

/** A reason when another user could not even read the program. */
export async function unreadable(): Promise<string | undefined> {
  const as = ["--reuid", String(USER), "--regid", String(USER), "--clear-groups"];
  const { status } = await tryRun("setpriv", [...as, process.execPath, strataMain, "--version"]);
  if (status === 0) return undefined;
  accessSync(strataMain, constants.R_OK);
  return `user ${USER} may not read ${dirname(strataMain)}`;
}
