// What people do all day: unpack, check out, install, insert, remove.

import { database } from "../fixtures/database.js";
import { debian, INSTALL_COMMAND } from "../fixtures/debian.js";
import { repository, sourceArchive } from "../fixtures/source-tree.js";
import { formatCount, type Sizes } from "../sizes.js";
import { type Step, secondsRow, type Workload } from "./workload.js";

const GIT = "git -C repository -c safe.directory='*' -c core.pager=cat";
const NO_DEVICES = "a file system of a user namespace has no devices, and dpkg needs /dev/null";

function step(key: string, label: string, command: string): Step {
  return { row: secondsRow(key, label), measure: { kind: "shell", command } };
}

function sourceTrees(sizes: Sizes): readonly Workload[] {
  const files = `${formatCount(sizes.sourceFiles)} files`;
  return [
    {
      fixture: sourceArchive(sizes.sourceFiles),
      cold: false,
      steps: [
        step("untar", `untar, ${files}`, 'tar -C home -xf "$OUTSIDE/source.tar"'),
        step("remove/upper", `rm -rf, ${files} just untarred`, "rm -rf home/source"),
      ],
    },
    {
      fixture: repository(sizes.sourceFiles),
      cold: true,
      spoils: true,
      steps: [
        step("git/status-first", `git status, ${files}, first`, `${GIT} status --short`),
        step("git/status-again", `git status, ${files}, again`, `${GIT} status --short`),
        step("git/checkout", `git checkout, ${files}`, `${GIT} checkout -q other`),
      ],
    },
  ];
}

function small(sizes: Sizes): readonly Workload[] {
  const created = `create+unlink, ${formatCount(sizes.createdFiles)} files`;
  const packages = `npm ci of ${formatCount(sizes.nodePackages)} packages (as it writes)`;
  return [
    {
      fixture: sourceArchive(sizes.sourceFiles),
      cold: false,
      steps: [
        {
          row: secondsRow("create-unlink", created),
          measure: { kind: "create-unlink", directory: "home/new", count: sizes.createdFiles },
        },
      ],
    },
    {
      fixture: sourceArchive(sizes.sourceFiles),
      cold: false,
      steps: [
        {
          row: secondsRow("node-modules", packages),
          measure: {
            kind: "node-modules",
            directory: "home/node_modules",
            packages: sizes.nodePackages,
          },
        },
        step("remove/node-modules", "rm -rf node_modules", "rm -rf home/node_modules"),
      ],
    },
  ];
}

function databases(sizes: Sizes): Workload {
  const label = `SQLite, ${formatCount(sizes.insertTransactions)} transactions of 100 inserts`;
  return {
    fixture: database(sizes.insertTransactions),
    cold: true,
    spoils: true,
    steps: [step("sqlite", label, 'sqlite3 records.db < "$OUTSIDE/inserts.sql"')],
  };
}

function installation(sizes: Sizes): Workload {
  return {
    fixture: debian(sizes.debianPackages),
    cold: true,
    spoils: true,
    without: { "strata-rootless": NO_DEVICES },
    steps: [
      step("apt-get", `apt-get install, ${sizes.debianPackages} packages, chroot`, INSTALL_COMMAND),
    ],
  };
}

export function programsAtWork(sizes: Sizes): readonly Workload[] {
  const installations = sizes.debianPackages > 0 ? [installation(sizes)] : [];
  return [...small(sizes), ...sourceTrees(sizes), databases(sizes), ...installations];
}
