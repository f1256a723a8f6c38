// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files in its directory, shown in place
// of the image's, as docker does it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "../../node-errors.js";
import type { ContainerConfig, EngineMount } from "../../runtime/index.js";

const LOCAL_HOSTS = `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
ff00::0	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
`;

/** Writes the files anew and returns where they are shown; one that the user mounts is left alone. */
export function writeNetworkFiles(
  home: string,
  config: ContainerConfig,
  hostname: string,
): EngineMount[] {
  const contents: Readonly<Record<string, string>> = {
    hosts: hostsFile(config),
    hostname: `${hostname}\n`,
    "resolv.conf": readHostFile("/etc/resolv.conf"),
  };
  return Object.entries(contents).flatMap(([name, text]) => {
    const target = `/etc/${name}`;
    if (config.mounts.some((mount) => mount.target === target)) return [];
    const source = join(home, name);
    writeFileSync(source, text, { mode: 0o644 });
    return [{ source, target, readOnly: false }];
  });
}

/** On the host's network the host's names hold. */
function hostsFile({ network, extraHosts }: ContainerConfig): string {
  const base = network === "host" ? readHostFile("/etc/hosts") : LOCAL_HOSTS;
  const extra = extraHosts.map((line) => {
    const colon = line.indexOf(":");
    return `${line.slice(colon + 1)}\t${line.slice(0, colon)}\n`;
  });
  const newline = base === "" || base.endsWith("\n") ? "" : "\n";
  return `${base}${newline}${extra.join("")}`;
}

function readHostFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES")) return "";
    throw error;
  }
}
