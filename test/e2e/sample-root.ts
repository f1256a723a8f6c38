// A small root with every type of file and every attribute that a layer can hold, made by tools of
// the host; and archives of trees, made by GNU tar: no code of ours has a part in them.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run-program.js";

/** Run in the new root as root. The capability is cap_net_raw+ep, as ping has. */
const SCRIPT = String.raw`
set -eu
mkdir -p bin etc/conf.d usr/share/doc usr/lib/deep/er/still var/empty dev tmp replaced/by/link
chmod 1777 tmp
printf 'root:x:0:0::/:/bin/sh\n' >etc/passwd
printf '#!/bin/sh\necho hello\n' >bin/hello
chmod 755 bin/hello
echo '127.0.0.1 localhost' >etc/hosts
printf 'program' >bin/capable
chmod 755 bin/capable
setcap cap_net_raw+ep bin/capable
printf 'set-user-id' >bin/suid
chmod 4755 bin/suid
for n in 1 2 3; do echo "part $n" >etc/conf.d/$n; done
echo shared >usr/share/one
ln usr/share/one usr/share/two
ln usr/share/one usr/lib/deep/three
ln -s ../etc/passwd usr/passwd
ln -s /nowhere/at/all dangling
mkfifo -m 600 tmp/pipe
mknod -m 666 dev/null c 1 3
mknod -m 660 dev/sda b 8 0
printf 'caf\303\251' >"$(printf 'usr/share/caf\303\251')"
printf 'bytes' >"$(printf 'usr/share/\377\376 raw')"
truncate -s 3M var/sparse
printf 'middle' | dd of=var/sparse bs=1 seek=1048576 conv=notrunc status=none
seq 1 700000 >var/large
echo attributes >etc/with-xattrs
setfattr -n user.plain -v text etc/with-xattrs
setfattr -n user.binary -v 0x00ff0a00 etc/with-xattrs
setfattr -n trusted.hidden -v yes etc/with-xattrs
setfattr -n user.on.directory -v yes usr/share/doc
chown 1000:1000 etc/conf.d/1
chown 3000000:2999999 etc/conf.d/2
chown -h 7:8 usr/passwd
touch -d '2001-02-03 04:05:06.123456789 UTC' etc/passwd
touch -d '1960-01-01 00:00:00.5 UTC' etc/conf.d/3
touch -d '2100-01-01 00:00:00.000000001 UTC' etc/conf.d/1
touch -h -d '2011-11-11 11:11:11.111111111 UTC' dangling
touch -d '1999-09-09 09:09:09.999999999 UTC' usr/share/doc
`;

/** Fills an empty directory. Needs root, setcap and setfattr. */
export async function makeSampleRoot(directory: string): Promise<void> {
  await run("sh", ["-c", SCRIPT], { cwd: directory });
}

/** Fills an empty directory with what needs no rights. */
export function makePlainRoot(directory: string): void {
  mkdirSync(join(directory, "etc"));
  mkdirSync(join(directory, "srv"));
  writeFileSync(join(directory, "etc/motd"), "hello\n");
  writeFileSync(join(directory, "srv/one"), "1");
  writeFileSync(join(directory, "srv/two"), "2");
}

/** The archive of a tree as it is, with ns times and xattrs. */
export async function packTree(directory: string, archive: string): Promise<void> {
  const whole = ["--format=pax", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--sparse"];
  await run("tar", ["-C", directory, ...whole, "-cf", archive, "."]);
}

/** A copy of a tree in a new directory with everything that it has. */
export async function copyTree(from: string, to: string): Promise<void> {
  mkdirSync(to);
  await run("cp", ["-a", "--sparse=always", `${from}/.`, to]);
}
