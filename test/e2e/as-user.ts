// Programs run as an ordinary user who may open /dev/fuse.

import { accessSync, chmodSync, constants, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { run, tryRun } from "./run-program.js";
import { strataMain, type Workplace } from "./workplace.js";

export const USER = 1000;

/** The first of the ids that such a user has besides their own. */
const FIRST_ID = 200_000;

/**
 * As USER, with a /dev/fuse that everybody may open, and as many subordinate ids as asked for, whatever this machine
 * has; all mounts are gone with the script's end.
 */
export async function runAsUser(
  place: Workplace,
  script: string,
  options: { readonly ids?: number } = {},
): Promise<string> {
  const device = place.at("fuse");
  await tryRun("rm", ["-f", device]);
  await run("mknod", [device, "c", "10", "229"]);
  chmodSync(device, 0o666);
  const asUser = 'exec setpriv --reuid "$1" --regid "$1" --clear-groups sh -ec "$2"';
  const whole = [
    `mount --bind '${device}' /dev/fuse`,
    ...writeUserFiles(place, options.ids ?? 0).map(
      ([from, to]) => `mount --bind '${from}' '${to}'`,
    ),
    asUser,
  ].join("; ");
  const argv = ["-m", "--propagation", "private", "sh", "-ec", whole, "sh", String(USER), script];
  return await run("unshare", argv, { env: { HOME: place.at("home"), XDG_RUNTIME_DIR: "" } });
}

/** newuidmap wants the user to have a name. */
function writeUserFiles(place: Workplace, ids: number): [from: string, to: string][] {
  const passwd = readFileSync("/etc/passwd", "latin1");
  const isNamed = passwd.split("\n").some((line) => line.split(":")[2] === String(USER));
  const ranges = ids === 0 ? "" : `${USER}:${FIRST_ID}:${ids}\n`;
  const files = {
    passwd: isNamed ? passwd : `${passwd}test-user:x:${USER}:${USER}::/:/bin/sh\n`,
    subuid: ranges,
    subgid: ranges,
  };
  return Object.entries(files).flatMap(([name, content]) => {
    // Where there is none, nobody has subordinate ids.
    if (!existsSync(`/etc/${name}`)) return [];
    writeFileSync(place.at(name), content);
    return [[place.at(name), `/etc/${name}`] as [from: string, to: string]];
  });
}

/** A reason when another user could not even read the program. */
export async function unreadable(): Promise<string | undefined> {
  const as = ["--reuid", String(USER), "--regid", String(USER), "--clear-groups"];
  const { status } = await tryRun("setpriv", [...as, process.execPath, strataMain, "--version"]);
  if (status === 0) return undefined;
  accessSync(strataMain, constants.R_OK);
  return `user ${USER} may not read ${dirname(strataMain)}`;
}
