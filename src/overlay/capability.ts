// The one extended attribute that writing to a file takes away (capabilities(7)). Its meaning is the
// kernel's: here it is only kept through writes that are nobody's.

import { bytesOf } from "../path.js";

export const CAPABILITY = bytesOf("security.capability");
