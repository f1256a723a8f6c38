// Debian's image through a real registry: pushed, pulled back by skopeo and by another store, digests equal.

import { equal, match } from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { RegistryServer } from "../registry/server/registry-server.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { expectEqualTrees, listTree } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const debian = process.env["STRATA_TEST_DEBIAN"];
const options = {
  skip:
    needsRoot ||
    missing("docker-registry", "skopeo") ||
    (debian === undefined
      ? "STRATA_TEST_DEBIAN names no Debian root (scripts/debian-root)"
      : false),
  timeout: 300_000,
};

test("push, pull: the Debian image; skopeo copies it, digests equal", options, async () => {
  await using place = new Workplace();
  await using registry = await RegistryServer.start(place.at("registry"));
  const name = `${registry.domain}/library/debian:12`;
  await place.strata("import", debian ?? "", name);
  await place.strata("push", "-q", name);
  const pushed = await place.strata("inspect", "-f", "{{index .RepoDigests 0}}", name);
  const source = `docker://${name}`;
  const layout = `oci:${place.at("layout")}:12`;
  await run("skopeo", ["copy", "-q", "--src-tls-verify=false", source, layout]);
  const raw = await run("skopeo", ["inspect", "--raw", layout]);
  equal(`sha256:${createHash("sha256").update(raw).digest("hex")}`, pushed.split("@")[1]);
  await using other = new Workplace();
  const pulled = await other.strata("pull", name);
  match(pulled, new RegExp(`^Digest: ${pushed.split("@")[1]}$`, "m"));
  const id = "{{.Id}} {{.RootFS.Layers}}";
  equal(
    await other.strata("inspect", "-f", id, name),
    await place.strata("inspect", "-f", id, name),
  );
  const before = await place.mount(name, "before", "--read-only");
  const after = await other.mount(name, "after", "--read-only");
  expectEqualTrees(await listTree(after), await listTree(before), "pulled");
  await expectSound(other);
});
