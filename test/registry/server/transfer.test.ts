// Pull and push against a real registry: what goes over the wire, and what does not.

import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type LayerState, pull, push, tag } from "../../../src/engine/index.js";
import type { LayerCompression } from "../../../src/oci/index.js";
import { addImage, lacking, Scratch } from "../../store/fixture.js";
import { Gateway } from "./gateway.js";
import { RegistryServer } from "./registry-server.js";
import { expectSound, namesIn, quick, randomLayer } from "./sample-images.js";

const skip = lacking("docker-registry");
const connection = quick;

test("push, pull: an image of 20 layers comes back with the same image ID and trees", {
  skip,
}, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  const store = await scratch.store();
  const name = `${registry.domain}/team/app:1.0`;
  const layers = Array.from({ length: 20 }, (_, n) => randomLayer(scratch, `l${n}`, 1000 * n));
  await addImage(store, name, layers);
  const before = await store.resolve(name);
  const [pushed] = await push(store, { reference: name, connection });
  const other = await scratch.store("other");
  const [pulled] = await pull(other, { reference: name, connection });
  equal(pulled?.digest, pushed?.digest);
  equal(pulled?.newer, true);
  const after = await other.resolve(name);
  equal(after.id, before.id);
  ok(after.manifest.layers.every(({ mediaType }) => mediaType.endsWith("+gzip")));
  for (const [n, directory] of (await other.unpack(after)).entries()) {
    const file = join(directory, "files", `l${n}`);
    deepStrictEqual(
      readFileSync(file),
      readFileSync(scratch.join("trees", `l${n}`, "files", `l${n}`)),
    );
  }
  const [again] = await pull(other, { reference: name, connection });
  equal(again?.newer, false);
  await expectSound(store);
  await expectSound(other);
});

for (const compression of ["gzip", "zstd", "none"] satisfies LayerCompression[]) {
  test(`push --compression ${compression}: the layers of the registry are packed so`, {
    skip,
  }, async () => {
    using scratch = new Scratch();
    await using registry = await RegistryServer.start(scratch.join("registry"));
    const store = await scratch.store();
    const name = `${registry.domain}/app:1`;
    // The second layer is too large to be held in memory: it goes in pieces.
    const largeBytes = compression === "none" ? 70_000_000 : 20_000_000;
    await addImage(store, name, [
      randomLayer(scratch, "small", 1000),
      randomLayer(scratch, "large", largeBytes),
    ]);
    await push(store, { reference: name, compression, connection });
    const other = await scratch.store("other");
    await pull(other, { reference: name, connection });
    const { manifest, id } = await other.resolve(name);
    equal(id, (await store.resolve(name)).id);
    const ending = compression === "none" ? ".tar" : `+${compression}`;
    ok(manifest.layers.every(({ mediaType }) => mediaType.endsWith(ending)));
    // An image that was pulled goes back as it came.
    const [back] = await push(other, { reference: name, connection, compression });
    equal(back?.digest, (await other.resolve(name)).descriptor.digest);
    await expectSound(other);
  });
}

test("push: what the registry has is not sent again, nor compressed again", { skip }, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  await using gateway = await Gateway.start(registry.domain);
  const store = await scratch.store();
  const name = `${gateway.domain}/app:1`;
  await addImage(store, name, [
    randomLayer(scratch, "a", 1000),
    randomLayer(scratch, "b", 17_000_000),
  ]);
  await push(store, { reference: name, connection });
  const sent = gateway.count("POST", /uploads/);
  equal(sent, 3);
  ok(gateway.count("PATCH", /uploads/) > 0);
  const states: LayerState[] = [];
  await push(store, {
    reference: name,
    connection,
    onEvent: (event) => event.kind === "layer" && states.push(event.state),
  });
  equal(gateway.count("POST", /uploads/), sent);
  deepStrictEqual(states, ["waiting", "waiting", "exists", "exists"]);
  // Another repository of the same registry takes the layers over.
  const copy = `${gateway.domain}/copy:1`;
  await tag(store, { image: name, reference: copy });
  const moved: LayerState[] = [];
  await push(store, {
    reference: copy,
    connection,
    onEvent: (event) => event.kind === "layer" && moved.push(event.state),
  });
  deepStrictEqual(moved, ["waiting", "waiting", "mounted", "mounted"]);
  equal(gateway.count("PUT", /uploads.*digest=/), 4);
});

test("pull: layers that are there are not asked for, nor is a shared base", { skip }, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  await using gateway = await Gateway.start(registry.domain);
  const store = await scratch.store();
  const base = randomLayer(scratch, "base", 5000);
  await addImage(store, `${gateway.domain}/base:1`, [base]);
  await addImage(store, `${gateway.domain}/app:1`, [base, randomLayer(scratch, "top", 5000)]);
  for (const name of ["base", "app"]) {
    await push(store, { reference: `${gateway.domain}/${name}:1`, connection });
  }
  const other = await scratch.store("other");
  await pull(other, { reference: `${gateway.domain}/base:1`, connection });
  const asked = gateway.count("GET", /blobs/);
  const states: string[] = [];
  await pull(other, {
    reference: `${gateway.domain}/app:1`,
    connection,
    onEvent: (event) => {
      const done = event.kind === "layer" && ["exists", "pulled"].includes(event.state);
      if (done) states.push(event.state);
    },
  });
  deepStrictEqual(states, ["exists", "pulled"]);
  equal(gateway.count("GET", /blobs/), asked + 2);
  await expectSound(other);
});

test("pull: by digest, and every tag", { skip }, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  const store = await scratch.store();
  const repository = `${registry.domain}/app`;
  for (const version of ["1", "2", "3"]) {
    await addImage(store, `${repository}:${version}`, [randomLayer(scratch, version, 100)]);
  }
  const pushed = await push(store, { reference: repository, allTags: true, connection });
  equal(pushed.length, 3);
  const other = await scratch.store("other");
  const byDigest = `${repository}@${pushed[1]?.digest}`;
  await pull(other, { reference: byDigest, connection });
  deepStrictEqual(await namesIn(other), [byDigest]);
  equal((await other.resolve(byDigest)).id, (await store.resolve(`${repository}:2`)).id);
  const all = await pull(other, { reference: repository, allTags: true, connection });
  deepStrictEqual(
    all.map(({ newer }) => newer),
    [true, true, true],
  );
  equal((await namesIn(other)).length, 4);
  await expectSound(other);
});

test("pull, push: what is not there is said so", { skip }, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  const store = await scratch.store();
  const name = `${registry.domain}/app:1`;
  const lost = { code: "NOT_FOUND" };
  await rejects(pull(store, { reference: name, connection }), lost);
  await rejects(push(store, { reference: name, connection }), lost);
  await rejects(
    pull(store, { reference: `${registry.domain}/app`, allTags: true, connection }),
    lost,
  );
  await rejects(pull(store, { reference: name, allTags: true, connection }), {
    code: "INVALID_ARGUMENT",
  });
  await rejects(pull(store, { reference: "127.0.0.1:9/app", connection }), { code: "UNAVAILABLE" });
  await rejects(pull(store, { reference: "registry.invalid/app", connection }), {
    code: "UNAVAILABLE",
  });
  await expectSound(store);
});
