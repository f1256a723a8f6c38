// All rows of the table, in its order.

import { dataRows } from "./data-rows.js";
import { longPathRow, nameRows } from "./name-rows.js";
import type { Row } from "./row.js";

export type { Asked, Lowers, Row } from "./row.js";

export const rows: readonly Row[] = [...nameRows, ...dataRows, longPathRow];
