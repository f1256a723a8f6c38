// The directory upper against the suite of all uppers, in each way it can be opened.

import { type DirectoryUpperOptions, openDirectoryUpper } from "../../src/layer/index.js";
import { isRoot, Scratch } from "./host-tree.js";
import { layerSuite, type UpperSubject } from "./layer-suite.js";
import { FORMS } from "./upper-forms.js";

function subject(options: DirectoryUpperOptions): UpperSubject {
  const scratch = new Scratch();
  const upperPath = scratch.directory("upper");
  const workPath = scratch.directory("work");
  const upper = openDirectoryUpper(upperPath, workPath, options);
  const opened = [upper];
  return {
    upper,
    noRedirects: options.form?.whiteouts === "file",
    reopen: () => {
      opened.pop()?.close();
      const again = openDirectoryUpper(upperPath, workPath, options);
      opened.push(again);
      return again;
    },
    dispose: () => {
      opened.pop()?.close();
      scratch[Symbol.dispose]();
    },
  };
}

layerSuite("openDirectoryUpper", () => subject({}));
layerSuite("openDirectoryUpper (user.*)", () => subject({ xattrPrefix: "user" }));
layerSuite("openDirectoryUpper (override)", () =>
  subject({ xattrPrefix: "user", ownership: "override" }),
);
layerSuite("openDirectoryUpper (16 descriptors, volatile)", () =>
  subject({ directoryFds: 16, volatile: true, ...(isRoot ? {} : { xattrPrefix: "user" }) }),
);

for (const [title, form] of Object.entries(FORMS)) {
  layerSuite(`openDirectoryUpper (${title})`, () => subject({ form }));
}
