// Whose the files are that a writer makes, before it says otherwise.

/** No file's owner. */
const NOBODY = -1;

/**
 * The ids that need no chown and no record. `recordsOwners`: every owner is recorded, this process's own, too, so that there are
 * none such.
 */
export function writerIds(recordsOwners: boolean): { readonly uid: number; readonly gid: number } {
  if (recordsOwners) return { uid: NOBODY, gid: NOBODY };
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}
