// A program: applies a sandbox and kills itself before one of the steps. Ends with 0 when there is no such
// step any more.
//
//   node killed-apply.js STORE CONTAINER STEP

import { apply } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";

const [, , root = "", container = "", step = ""] = process.argv;
await apply(await Store.open(root), {
  container,
  beforeStep: (present) => {
    if (String(present) === step) process.kill(process.pid, "SIGKILL");
  },
});
