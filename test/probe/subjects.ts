// Who is asked: anything that one shell command mounts. The command finds the variables LOWER
// (topmost first, colons between), UPPER, WORK and ROOT; umount(8) ends the mount.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Subject {
  readonly name: string;
  /** undefined: a plain directory, which has no layers. */
  readonly command: string | undefined;
  /** Why it can't be asked here. */
  readonly missing?: string;
}

export const PLAIN: Subject = { name: "plain directory", command: undefined };

const strataOverlay = fileURLToPath(new URL("../../../bin/strata-overlay", import.meta.url));
const LAYERS = `lowerdir="$LOWER",upperdir="$UPPER",workdir="$WORK"`;

function missing(program: string, debianPackage: string): { readonly missing?: string } {
  return existsSync(program) ? {} : { missing: `Debian package ${debianPackage}` };
}

/** Ours. `options` begin with a comma. */
export function strataSubject(options = ""): Subject {
  const name = `strata${options === "" ? "" : ` (${options.slice(1)})`}`;
  return { name, command: `"${strataOverlay}" -o ${LAYERS}${options} "$ROOT"` };
}

function kernelSubject(name: string, options: string): Subject {
  return { name, command: `mount -t overlay overlay -o ${LAYERS}${options} "$ROOT"` };
}

/**
 * All that are known, ours first. `inNamespace`: within a user namespace of one's own, where
 * kernel overlayfs keeps its marks in user.overlay.*.
 */
export function knownSubjects(inNamespace: boolean): readonly Subject[] {
  const fuseOverlayfs = "/usr/bin/fuse-overlayfs";
  const unionfs = "/usr/bin/unionfs";
  // metacopy and redirect_dir exclude userxattr.
  const all = ",redirect_dir=on,index=on,metacopy=on,xino=on";
  const kernels = inNamespace
    ? [kernelSubject("overlayfs", ",userxattr")]
    : [kernelSubject("overlayfs", ""), kernelSubject("overlayfs, all on", all)];
  return [
    PLAIN,
    strataSubject(),
    { ...strataSubject(",metacopy=on"), name: "strata, all on" },
    ...kernels,
    {
      name: "fuse-overlayfs",
      command: `${fuseOverlayfs} -o ${LAYERS} "$ROOT"`,
      ...missing(fuseOverlayfs, "fuse-overlayfs"),
    },
    {
      name: "unionfs-fuse",
      command: `${unionfs} -o cow,allow_other,use_ino,suid,dev "$UPPER=RW:$(echo "$LOWER" | sed 's/:/=RO:/g')=RO" "$ROOT"`,
      ...missing(unionfs, "unionfs-fuse"),
    },
  ];
}
