// Directories read as layers: every dialect of whiteouts, whatever the depth, and never a way out.

import { deepStrictEqual, notStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { errno, isFsError } from "../../src/errors.js";
import {
  type DirectoryLayerOptions,
  type Layer,
  type LayerNode,
  openDirectoryLayer,
  WHITEOUT,
} from "../../src/layer/index.js";
import { type ByteString, bytesOf, type Name } from "../../src/path.js";
import {
  AT_FDCWD,
  close,
  features,
  mkdirAt,
  mknodAt,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openAt,
  S_IFCHR,
  setxattrAt,
  symlinkAt,
} from "../../src/sys/index.js";
import { Scratch } from "./host-tree.js";
import { contentOf } from "./layer-dump.js";
import { named } from "./upper-files.js";

const needsTrusted = features().trustedXattr ? false : "needs root: trusted.* attributes";

/** A directory filled by `fill`, read as a layer by `use`. */
function withLayer(
  fill: (path: string) => void,
  use: (layer: Layer) => void,
  options: DirectoryLayerOptions = {},
): void {
  using scratch = new Scratch();
  const path = scratch.directory("layer");
  fill(path);
  const layer = openDirectoryLayer(path, options);
  try {
    use(layer);
  } finally {
    layer.close();
  }
}

function find(layer: Layer, path: string): LayerNode {
  let node = layer.root;
  for (const name of path.split("/")) {
    const found = layer.lookup(node, name as Name);
    ok(found !== undefined && found !== WHITEOUT, `${path} is in the layer`);
    node = found;
  }
  return node;
}

function setXattr(path: string, name: string, value: string): void {
  setxattrAt(AT_FDCWD, bytesOf(path), bytesOf(name), Buffer.from(value));
}

function listing(layer: Layer, node: LayerNode): [string, boolean][] {
  return layer
    .readdir(node)
    .map(({ name, whiteout }): [string, boolean] => [name, whiteout])
    .sort();
}

test("openDirectoryLayer: character device 0:0 is a whiteout, other devices are not", () => {
  const skip = features().mknodDevices ? "null" : undefined;
  withLayer(
    (path) => {
      mknodAt(AT_FDCWD, bytesOf(join(path, "gone")), S_IFCHR, 0, 0);
      if (skip !== undefined) mknodAt(AT_FDCWD, bytesOf(join(path, skip)), S_IFCHR | 0o666, 1, 3);
    },
    (layer) => {
      strictEqual(layer.lookup(layer.root, named("gone")), WHITEOUT);
      strictEqual(layer.lookup(layer.root, named("other")), undefined);
      const devices: [string, boolean][] = skip === undefined ? [] : [[skip, false]];
      deepStrictEqual(listing(layer, layer.root), [["gone", true], ...devices]);
    },
  );
});

test("openDirectoryLayer: .wh. files are whiteouts and opaque marks, unless told otherwise", () => {
  const fill = (path: string): void => {
    mkdirSync(join(path, "opaque"));
    mkdirSync(join(path, "both"));
    for (const name of [".wh.gone", "opaque/.wh..wh..opq", ".wh.both", ".wh..wh.plnk"]) {
      writeFileSync(join(path, name), "");
    }
  };
  withLayer(fill, (layer) => {
    strictEqual(layer.lookup(layer.root, named("gone")), WHITEOUT);
    strictEqual(layer.lookup(layer.root, named(".wh.gone")), undefined);
    strictEqual(layer.marks(find(layer, "opaque")).opaque, true);
    strictEqual(layer.marks(find(layer, "both")).opaque, true);
    deepStrictEqual(listing(layer, layer.root), [
      ["both", false],
      ["gone", true],
      ["opaque", false],
    ]);
    deepStrictEqual(listing(layer, find(layer, "opaque")), []);
  });
  withLayer(
    fill,
    (layer) => {
      strictEqual(layer.lookup(layer.root, named("gone")), undefined);
      strictEqual(layer.marks(find(layer, "opaque")).opaque, false);
      strictEqual(layer.readdir(layer.root).length, 5);
    },
    { whFiles: false },
  );
});

test("openDirectoryLayer: xattr whiteouts count in directories marked x only", () => {
  withLayer(
    (path) => {
      for (const name of ["marked", "plain"]) {
        mkdirSync(join(path, name));
        for (const file of ["gone", "empty"]) writeFileSync(join(path, name, file), "");
        setXattr(join(path, name, "gone"), "user.overlay.whiteout", "y");
      }
      setXattr(join(path, "marked"), "user.overlay.opaque", "x");
    },
    (layer) => {
      const marked = find(layer, "marked");
      strictEqual(layer.marks(marked).opaque, false);
      strictEqual(layer.lookup(marked, named("gone")), WHITEOUT);
      deepStrictEqual(listing(layer, marked), [
        ["empty", false],
        ["gone", true],
      ]);
      notStrictEqual(layer.lookup(find(layer, "plain"), named("gone")), WHITEOUT);
    },
  );
});

const OPAQUE_DIALECTS = ["user.overlay.opaque", "user.fuseoverlayfs.opaque"];
for (const name of [...OPAQUE_DIALECTS, "trusted.overlay.opaque"]) {
  const skip = name.startsWith("trusted") && needsTrusted;
  test(`openDirectoryLayer: ${name} makes a directory opaque and is not shown`, { skip }, () => {
    withLayer(
      (path) => {
        mkdirSync(join(path, "d"));
        setXattr(join(path, "d"), name, "y");
        setXattr(join(path, "d"), "user.own", "1");
      },
      (layer) => {
        const node = find(layer, "d");
        strictEqual(layer.marks(node).opaque, true);
        deepStrictEqual(layer.listxattr(node), ["user.own"]);
        strictEqual(layer.getxattr(node, bytesOf(name)), undefined);
      },
    );
  });
}

test("openDirectoryLayer: redirects count under the layer's own prefix only", () => {
  const fill = (path: string): void => {
    mkdirSync(join(path, "d"));
    setXattr(join(path, "d"), "user.overlay.redirect", "/old/place");
  };
  withLayer(fill, (layer) => strictEqual(layer.marks(find(layer, "d")).redirect, "/old/place"), {
    xattrPrefix: "user",
  });
  withLayer(fill, (layer) => strictEqual(layer.marks(find(layer, "d")).redirect, undefined), {
    xattrPrefix: "trusted",
  });
});

test("openDirectoryLayer: a redirect that leads out is EIO", () => {
  withLayer(
    (path) => {
      mkdirSync(join(path, "d"));
      setXattr(join(path, "d"), "user.overlay.redirect", "/../../etc");
    },
    (layer) =>
      throws(
        () => layer.marks(find(layer, "d")),
        (error) => isFsError(error, errno.EIO),
      ),
    { xattrPrefix: "user" },
  );
});

test("openDirectoryLayer: a symlink is read, never followed", () => {
  withLayer(
    (path) => symlinkSync("/etc", join(path, "out")),
    (layer) => {
      const node = find(layer, "out");
      strictEqual(layer.readlink(node), "/etc");
      throws(
        () => layer.lookup(node, named("passwd")),
        (e) => isFsError(e, errno.ENOTDIR),
      );
      throws(
        () => layer.readdir(node),
        (error) => isFsError(error, errno.ENOTDIR),
      );
      throws(
        () => layer.open(node, O_RDONLY),
        (error) => isFsError(error, errno.ELOOP),
      );
    },
  );
});

test("openDirectoryLayer: a directory replaced by a symlink under us leads nowhere", () => {
  using scratch = new Scratch();
  const path = scratch.directory("layer");
  for (let index = 0; index < 40; index++)
    mkdirSync(join(path, `${index}/sub`), { recursive: true });
  const layer = openDirectoryLayer(path, { directoryFds: 16 });
  const victim = find(layer, "0/sub");
  layer.readdir(victim);
  for (let index = 1; index < 40; index++) layer.readdir(find(layer, `${index}/sub`));
  execFileSync("sh", ["-c", `rm -r ${path}/0 && ln -s /etc ${path}/0`]);
  throws(
    () => layer.readdir(victim),
    (error) => isFsError(error, errno.ELOOP, errno.ENOTDIR),
  );
  layer.close();
});

test("openDirectoryLayer: paths longer than PATH_MAX, with few descriptors", () => {
  const depth = 40;
  const name = "n".repeat(200) as Name;
  withLayer(
    (path) => {
      let fd = openAt(AT_FDCWD, bytesOf(path), O_PATH | O_DIRECTORY);
      for (let level = 0; level < depth; level++) {
        mkdirAt(fd, name, 0o755);
        const below = openAt(fd, name, O_PATH | O_DIRECTORY);
        close(fd);
        fd = below;
      }
      symlinkAt(bytesOf("target"), fd, bytesOf("link"));
      close(fd);
    },
    (layer) => {
      const directories: LayerNode[] = [layer.root];
      for (let level = 0; level < depth; level++) {
        const found = layer.lookup(directories.at(-1) ?? layer.root, name);
        ok(found !== undefined && found !== WHITEOUT);
        directories.push(found);
      }
      // By now the first ones were closed, and the way back down is walked in pieces.
      for (const directory of directories) strictEqual(layer.readdir(directory).length, 1);
      const deepest = directories.at(-1) ?? layer.root;
      layer.readdir(layer.root);
      const link = layer.lookup(deepest, named("link"));
      ok(link !== undefined && link !== WHITEOUT);
      strictEqual(layer.readlink(link), "target");
    },
    { directoryFds: 1 },
  );
});

test("openDirectoryLayer: two lookups of a directory give one node; bytes are kept", () => {
  const odd = "\xff\xfe name" as ByteString;
  withLayer(
    (path) => mkdirSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from(odd, "latin1")])),
    (layer) => {
      strictEqual(layer.lookup(layer.root, odd as Name), layer.lookup(layer.root, odd as Name));
      strictEqual(layer.readdir(layer.root)[0]?.name, odd);
    },
  );
});

test("openDirectoryLayer: writing is EROFS, also through a descriptor of the caller's", () => {
  using scratch = new Scratch();
  const path = scratch.directory("layer");
  writeFileSync(join(path, "a"), "content");
  const fd = openAt(AT_FDCWD, bytesOf(path), O_PATH | O_DIRECTORY);
  const layer = openDirectoryLayer({ fd, title: "given" });
  close(fd);
  const node = find(layer, "a");
  throws(
    () => layer.open(node, O_RDWR),
    (error) => isFsError(error, errno.EROFS),
  );
  strictEqual(contentOf(layer, node).toString(), "content");
  layer.close();
});

const noClone = features().openTree ? false : "needs root: mount_setattr";
test("openDirectoryLayer: readOnlyMount keeps even a re-opened file from being written", {
  skip: noClone,
}, () => {
  withLayer(
    (path) => writeFileSync(join(path, "a"), "content"),
    (layer) => {
      const file = layer.open(find(layer, "a"), O_RDONLY);
      const again = bytesOf(`/proc/self/fd/${file.fd}`);
      throws(
        () => openAt(AT_FDCWD, again, O_RDWR),
        (error) => isFsError(error, errno.EROFS),
      );
      file.close();
    },
    { readOnlyMount: true },
  );
});
