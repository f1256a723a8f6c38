// Changes of the sample root that every union file system has trouble with, as a program of the
// shell: run in a mount of it, or in a plain copy.

import { run } from "./run-program.js";

const SCRIPT = String.raw`
set -eu
# A removed directory and a new one of the same name; a file for a directory, and the other way.
rm -r etc/conf.d
mkdir etc/conf.d
echo new >etc/conf.d/new
rm -r replaced/by/link
ln -s ../../etc replaced/by/link
rm etc/hosts
mkdir etc/hosts
echo moved >etc/hosts/inside
rm -r var/empty
echo file >var/empty
# Renames of lower files and directories, also over others and of merged ones.
mv usr/lib/deep usr/lib/renamed
echo below >usr/lib/renamed/er/still/new
mv usr/lib/renamed usr/moved
mv tmp/pipe dev/pipe
mkdir usr/share/target
mv -T usr/share/doc usr/share/target
# Hard links to lower files, and a change through one of the names.
ln bin/hello bin/hello-again
echo changed >>usr/share/two
ln usr/share/one usr/moved/four
rm usr/moved/three
# Attributes alone.
chmod 4711 bin/hello
chown 123:456 bin/suid
chown 5:5 bin/capable
setcap cap_net_bind_service+ep bin/capable
touch -d '2002-02-02 02:02:02.222222222 UTC' etc/with-xattrs
setfattr -x user.plain etc/with-xattrs
setfattr -n user.new -v 0x0001fe etc/with-xattrs
setfattr -n user.on.root -v yes .
chmod 0750 usr/moved/er
# New files of every type, and holes.
mknod -m 600 dev/zero c 1 5
mkfifo srv-pipe
echo latin >"$(printf 'na\357ve')"
truncate -s 5M var/new-sparse
printf 'end' >>var/new-sparse
printf 'x' | dd of=var/sparse bs=1 seek=2097152 conv=notrunc status=none
`;

/** Needs root, setcap and setfattr. */
export async function changeSampleRoot(directory: string): Promise<void> {
  await run("sh", ["-c", SCRIPT], { cwd: directory });
}
