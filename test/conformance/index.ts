// All cases, in the order they are run; names are unique.

import type { Case } from "./case.js";
import { contentCases } from "./content.js";
import { inodeFlagCases } from "./inode-flags.js";
import { listingCases } from "./listing.js";
import { metadataCases } from "./metadata.js";
import { nameCases } from "./names.js";
import { openCases } from "./open.js";
import { permissionCases } from "./permission.js";
import { renameCases } from "./rename.js";
import { systemCases } from "./system.js";
import { xattrCases } from "./xattr.js";

export const conformanceCases: readonly Case[] = [
  ...openCases,
  ...nameCases,
  ...renameCases,
  ...metadataCases,
  ...contentCases,
  ...xattrCases,
  ...permissionCases,
  ...listingCases,
  ...systemCases,
  ...inodeFlagCases,
];
