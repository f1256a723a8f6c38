// ps --filter: which containers are wanted. Values of one name are alternatives; names add up.
// https://docs.docker.com/reference/cli/docker/container/ls/#filter

import { EngineError } from "../../errors.js";
import type { RestartPolicy } from "../../runtime/container-config.js";
import type { Store } from "../../store/index.js";
import { booleanFilter, type Filters, matchesLabels, parseFilters } from "../filters.js";
import type { ShownStatus } from "./present-state.js";
import { startsOnBoot } from "./restart-policy.js";
import { type ContainerView, labelsOf } from "./view.js";

type Test = (view: ContainerView) => boolean;

const NAMES: readonly string[] = [
  ...["id", "name", "label", "status", "exited"],
  ...["ancestor", "before", "since", "volume", "network"],
  // podman's, for containers that are to run again after a reboot.
  ...["restart-policy", "should-start-on-boot"],
];

const POLICIES: readonly string[] = [
  "no",
  "always",
  "on-failure",
  "unless-stopped",
] satisfies RestartPolicy["name"][];

const STATUSES: readonly string[] = [
  ...(["created", "running", "paused", "restarting", "exited", "dead"] satisfies ShownStatus[]),
  "removing",
];

/** Throws EngineError INVALID_ARGUMENT in docker's words. */
export function parsePsFilters(texts: readonly string[]): Filters {
  return parseFilters(texts, NAMES);
}

/** True when containers that don't run are wanted too, whatever else is said. */
export function wantsAll(filters: Filters): boolean {
  return filters.has("status") || filters.has("exited");
}

/**
 * One test for all filters. `all` are the containers there are: some filters point at one of them.
 * Throws EngineError INVALID_ARGUMENT, NOT_FOUND (before, since).
 */
export async function filterTest(
  store: Store,
  filters: Filters,
  all: readonly ContainerView[],
): Promise<Test> {
  const tests = await Promise.all(
    [...filters].map(async ([name, values]): Promise<Test> => {
      if (name === "label")
        return (view) => matchesLabels(values, new Map(Object.entries(labelsOf(view))));
      const alternatives = await Promise.all(
        values.map((value) => testOf(store, name, value, all)),
      );
      return (view) => alternatives.some((test) => test(view));
    }),
  );
  return (view) => tests.every((test) => test(view));
}

async function testOf(
  store: Store,
  name: string,
  value: string,
  all: readonly ContainerView[],
): Promise<Test> {
  const invalid = (): EngineError =>
    new EngineError("INVALID_ARGUMENT", `invalid filter '${name}=${value}'`);
  switch (name) {
    case "id":
      return ({ container }) => container.id.startsWith(value);
    case "name":
      return nameTest(value, invalid);
    case "status":
      if (!STATUSES.includes(value)) throw invalid();
      return ({ status }) => status === value;
    case "exited":
      if (!/^[+-]?\d+$/.test(value)) throw invalid();
      return ({ status, exitCode }) => status === "exited" && exitCode === Number(value);
    case "ancestor":
      return await ancestorTest(store, value);
    case "before":
    case "since": {
      const at = pointedAt(value, all).container.createdAt;
      return ({ container: { createdAt } }) =>
        name === "before" ? createdAt < at : createdAt > at;
    }
    case "volume":
      return ({ config }) =>
        config.mounts.some(
          (mount) =>
            mount.target === value ||
            (mount.type === "bind" && mount.source === value) ||
            (mount.type === "volume" && mount.name === value),
        );
    case "network":
      return ({ config }) => config.network === value;
    case "restart-policy":
      if (!POLICIES.includes(value)) throw invalid();
      return ({ config }) => config.restart.name === value;
    case "should-start-on-boot": {
      const wanted = booleanFilter(new Map([[name, [value]]]), name);
      return (view) => startsOnBoot(view) === wanted;
    }
    default:
      throw invalid();
  }
}

/** A regular expression, as docker's: "^/web$" and "web" both find "web". */
function nameTest(value: string, invalid: () => EngineError): Test {
  let pattern: RegExp;
  try {
    pattern = new RegExp(value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalid();
  }
  return ({ container: { name } }) => pattern.test(name) || pattern.test(`/${name}`);
}

/** The image itself, or one whose layers begin with all of that image's. */
async function ancestorTest(store: Store, value: string): Promise<Test> {
  const image = await store.resolve(value).catch((error: unknown) => {
    if (error instanceof EngineError && error.code === "NOT_FOUND") return undefined;
    throw error;
  });
  if (image === undefined) return () => false;
  const { diffIds } = image.config;
  return ({ container }) =>
    container.imageId === image.id ||
    (diffIds.length > 0 && diffIds.every((diffId, n) => container.diffIds[n] === diffId));
}

function pointedAt(value: string, all: readonly ContainerView[]): ContainerView {
  const found = all.find(
    ({ container }) => container.name === value || (value !== "" && container.id.startsWith(value)),
  );
  if (found !== undefined) return found;
  throw new EngineError("NOT_FOUND", `No such container: ${value}`);
}
