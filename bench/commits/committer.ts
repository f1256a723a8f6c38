// Programs that make an image layer of a container's changes, each as five shell scripts.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { containersConf } from "../../test/e2e/containers-conf.js";
import { programMissing } from "../programs.js";

/** Scripts run with $PLACE, a folder of the committer's own, and $BASE, the image's root as a tar. */
export interface Committer {
  readonly name: "strata" | "podman" | "buildah" | "umoci";
  readonly missing: string | undefined;
  /** In front of each script. */
  readonly functions: string;
  /** Makes the base image. */
  readonly prepare: string;
  /** Makes a container of it; the last line of output is the path of its root. */
  readonly begin: string;
  /** What is measured. */
  readonly commit: string;
  /** Forgets the image that commit made, when its container is gone. */
  readonly clean: string;
  /** Removes the container; also one that was only half made. */
  readonly end: string;
}

const CLI = fileURLToPath(new URL("../../run/strata.js", import.meta.url));

function strata(): Committer {
  return {
    name: "strata",
    missing: undefined,
    functions: `strata() { '${process.execPath}' '${CLI}' --root "$PLACE/store" "$@"; }`,
    prepare: 'strata import "$BASE" base',
    begin: 'mkdir -p "$PLACE/m"; strata mount --name work base "$PLACE/m"; echo "$PLACE/m"',
    commit: "strata commit work result",
    clean: "strata rmi result; strata prune",
    end: "strata rm -f work",
  };
}

/** podman and buildah keep their images in the same form, and know the same options. */
const STORAGE = '--root "$PLACE/root" --runroot "$PLACE/run" --storage-driver overlay';
function podman(): Committer {
  return {
    name: "podman",
    missing: programMissing("podman"),
    functions: `podman() { CONTAINERS_CONF="$PLACE/containers.conf" command podman ${STORAGE} "$@"; }`,
    prepare: 'podman import -q "$BASE" localhost/base:1',
    begin: "podman create -q --name work localhost/base:1 true >&2; podman mount work",
    commit: "podman commit -q work localhost/result:1",
    clean: "podman rmi -f localhost/result:1",
    end: "podman umount -f work; podman rm -f work",
  };
}

function buildah(): Committer {
  return {
    name: "buildah",
    missing: programMissing("buildah"),
    functions: `buildah() { CONTAINERS_CONF="$PLACE/containers.conf" command buildah ${STORAGE} "$@"; }`,
    prepare:
      'c=$(buildah from scratch); buildah add -q "$c" "$BASE" / >&2; ' +
      'buildah commit -q "$c" localhost/base:1; buildah rm "$c"',
    begin: "buildah from --name work localhost/base:1 >&2; buildah mount work",
    commit: "buildah commit -q work localhost/result:1",
    clean: "buildah rmi -f localhost/result:1",
    end: "buildah umount work; buildah rm work",
  };
}

/** It compresses the layers that it makes, and can't be told not to. */
function umoci(): Committer {
  return {
    name: "umoci",
    missing: programMissing("umoci"),
    functions: 'layout="$PLACE/layout"; bundle="$PLACE/bundle"',
    prepare:
      'umoci init --layout "$layout"; umoci new --image "$layout:base"; ' +
      'umoci unpack --image "$layout:base" "$PLACE/empty"; ' +
      'tar -C "$PLACE/empty/rootfs" -xpf "$BASE"; ' +
      'umoci repack --image "$layout:base" "$PLACE/empty"; rm -rf "$PLACE/empty"',
    begin: 'umoci unpack --image "$layout:base" "$bundle" >&2; echo "$bundle/rootfs"',
    commit: 'umoci repack --image "$layout:result" "$bundle"',
    clean: 'umoci rm --image "$layout:result"; umoci gc --layout "$layout"',
    end: 'rm -rf "$bundle"',
  };
}

export function allCommitters(): readonly Committer[] {
  return [strata(), podman(), buildah(), umoci()];
}

/** Makes a committer's folder with what its programs read there. */
export function makePlace(scratch: string, { name }: Committer): string {
  const place = join(scratch, "commits", name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "containers.conf"), containersConf("none"));
  return place;
}
