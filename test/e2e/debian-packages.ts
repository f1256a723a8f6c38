// Small Debian packages made here, with what makes dpkg work hard: a conffile, maintainer scripts, a
// file that moves from one package to another, links, and a directory that is replaced.

import { run } from "./run-program.js";

const SCRIPT = String.raw`
set -eu
umask 022
control() { # NAME VERSION EXTRA-LINES
  mkdir -p "$1-$2/DEBIAN"
  {
    printf 'Package: %s\nVersion: %s\nArchitecture: all\n' "$1" "$2"
    printf 'Maintainer: Nobody <nobody@example.org>\nDescription: a probe\n'
    [ -z "$3" ] || printf '%s\n' "$3"
  } >"$1-$2/DEBIAN/control"
}
control probe-one 1 ''
mkdir -p probe-one-1/etc probe-one-1/usr/bin probe-one-1/usr/share/probe/old
echo 'setting = 1' >probe-one-1/etc/probe.conf
echo /etc/probe.conf >probe-one-1/DEBIAN/conffiles
printf '#!/bin/sh\necho probe one\n' >probe-one-1/usr/bin/probe
chmod 755 probe-one-1/usr/bin/probe
ln probe-one-1/usr/bin/probe probe-one-1/usr/bin/probe-linked
echo 'of one' >probe-one-1/usr/share/probe/shared
for n in 1 2 3; do echo $n >probe-one-1/usr/share/probe/old/$n; done
cat >probe-one-1/DEBIAN/postinst <<'END'
#!/bin/sh
set -e
mkdir -p /var/lib/probe
echo "$1" >>/var/lib/probe/state
END
chmod 755 probe-one-1/DEBIAN/postinst

control probe-one 2 ''
mkdir -p probe-one-2/etc probe-one-2/usr/bin probe-one-2/usr/share/probe
echo 'setting = 2' >probe-one-2/etc/probe.conf
echo /etc/probe.conf >probe-one-2/DEBIAN/conffiles
printf '#!/bin/sh\necho probe one again\n' >probe-one-2/usr/bin/probe
chmod 755 probe-one-2/usr/bin/probe
ln -s probe probe-one-2/usr/bin/probe-linked
echo 'of one again' >probe-one-2/usr/share/probe/shared
echo 'was a directory' >probe-one-2/usr/share/probe/old

control probe-two 1 'Replaces: probe-one
Depends: probe-one'
mkdir -p probe-two-1/usr/share/probe
echo 'of two' >probe-two-1/usr/share/probe/shared
for package in probe-one-1 probe-one-2 probe-two-1; do
  dpkg-deb --root-owner-group --build "$package" >/dev/null
done
`;

/** Leaves probe-one-1.deb, probe-one-2.deb and probe-two-1.deb in an empty directory. */
export async function makePackages(directory: string): Promise<void> {
  await run("sh", ["-c", SCRIPT], { cwd: directory });
}
