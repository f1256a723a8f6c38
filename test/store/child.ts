// A process of its own for the tests of locks, kills and races. The first argument says what to do:
// hold ROOT MODE | load ROOT ARCHIVE | tag ROOT IMAGE NAME… | unpack ROOT IMAGE |
// fuse ROOT TARGET (a mount that nobody serves).
// Prints "ready" when it holds or begins, "done" at the end.

import { createReadStream } from "node:fs";
import { load } from "../../src/image/index.js";
import { parseReference } from "../../src/oci/index.js";
import { bytesOf } from "../../src/path.js";
import { Store } from "../../src/store/index.js";
import { mountFuse, openFuseDevice } from "../../src/sys/index.js";

async function main(verb: string, root: string, rest: readonly string[]): Promise<void> {
  const store = await Store.open(root);
  const [first = "", ...others] = rest;
  switch (verb) {
    case "hold": {
      const lock = await store.lock.acquire(first === "shared" ? "shared" : "exclusive");
      process.stdout.write("ready\n");
      await new Promise((resolve) => process.stdin.once("data", resolve));
      await lock.release();
      break;
    }
    case "load":
      process.stdout.write("ready\n");
      await load(createReadStream(first) as AsyncIterable<Uint8Array>, store);
      break;
    case "tag": {
      const image = await store.resolve(first);
      process.stdout.write("ready\n");
      for (const name of others) {
        await store.references.set(parseReference(name), image.descriptor);
      }
      break;
    }
    case "unpack": {
      const image = await store.resolve(first);
      process.stdout.write("ready\n");
      await store.unpack(image);
      break;
    }
    case "fuse": {
      const options = { source: "strata", subtype: "strata", flags: 0, rootMode: 0o40755 };
      const owner = { uid: 0, gid: 0, allowOther: false, defaultPermissions: false };
      mountFuse(openFuseDevice(), bytesOf(first), { ...options, ...owner });
      process.stdout.write("ready\n");
      await new Promise((resolve) => process.stdin.once("data", resolve));
      break;
    }
    default:
      throw new Error(`unknown verb ${verb}`);
  }
  process.stdout.write("done\n");
  process.exit(0);
}

const [verb = "", root = "", ...rest] = process.argv.slice(2);
await main(verb, root, rest);
