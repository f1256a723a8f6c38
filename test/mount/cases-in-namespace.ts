// A program: the conformance cases in the namespace that it is started in, on a mount that it makes
// there or on a plain directory. Prints the results.
//
//   node cases-in-namespace.js '{"job": {…}, "only": […]}' | '{"root": "…", "only": […]}'

import type { MountJob } from "../../src/fuse/index.js";
import { watchCases } from "./watch-cases.js";
import { watchMount } from "./watch-mount.js";

/** What to run the cases on: a mount, or the plain directory `root`; `only` those cases. */
export type NamespaceRequest =
  | { readonly job: MountJob; readonly only?: readonly number[] }
  | { readonly root: string; readonly only?: readonly number[] };

const request = JSON.parse(process.argv[2] ?? "") as NamespaceRequest;
const only = request.only === undefined ? {} : { only: request.only };
const results =
  "job" in request
    ? await watchMount(request.job, { fixture: "given", ...only })
    : await watchCases({
        ...{ root: request.root, fixture: "given", ...only },
        abort: () => undefined,
      });
process.stdout.write(JSON.stringify(results));
