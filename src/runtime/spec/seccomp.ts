// From a profile to the filter of one container: rules that do not hold for its processor, kernel
// and capabilities fall away. Profiles are docker's default or a file in docker's format.
// https://github.com/moby/profiles/tree/main/seccomp (the format)

import { JsonFields, parseJson } from "../../oci/index.js";
import type { RuntimeSeccomp, SeccompArgument } from "./runtime-spec.js";
import {
  ARCHITECTURES,
  DEFAULT_ERRNO,
  DEFAULT_RULES,
  REFUSE,
  type SeccompCondition,
  type SeccompRule,
} from "./seccomp-rules.js";

/** What rules may ask about. */
export interface SeccompFacts {
  /** GOARCH: "amd64". */
  readonly architecture: string;
  /** The kernel's release: "6.18.44-generic". */
  readonly kernel: string;
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
}

/** A profile before it is cut to a container. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** Fixed ones; absent means those of this processor. */
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly rules: readonly SeccompRule[];
}

export const DEFAULT_PROFILE: SeccompProfile = {
  defaultAction: REFUSE,
  defaultErrnoRet: DEFAULT_ERRNO,
  rules: DEFAULT_RULES,
};

/** The filter of one container, in the form of config.json. */
export function seccompFilter(profile: SeccompProfile, facts: SeccompFacts): RuntimeSeccomp {
  const { defaultAction, defaultErrnoRet, flags } = profile;
  const architectures = profile.architectures ?? ARCHITECTURES[facts.architecture];
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(architectures === undefined ? {} : { architectures }),
    ...(flags === undefined || flags.length === 0 ? {} : { flags }),
    syscalls: profile.rules
      .filter((rule) => holds(rule, facts))
      .map(({ names, action, errnoRet, args }) => ({
        names,
        action,
        ...(errnoRet === undefined ? {} : { errnoRet }),
        ...(args === undefined || args.length === 0 ? {} : { args }),
      })),
  };
}

function holds({ includes, excludes }: SeccompRule, facts: SeccompFacts): boolean {
  const has = (capability: string): boolean => facts.capabilities.includes(capability);
  if (excludes?.architectures?.includes(facts.architecture) === true) return false;
  if (excludes?.capabilities?.some(has) === true) return false;
  if (excludes?.minKernel !== undefined && isAtLeast(facts.kernel, excludes.minKernel)) {
    return false;
  }
  const { architectures, capabilities, minKernel } = includes ?? {};
  if (architectures !== undefined && !architectures.includes(facts.architecture)) return false;
  if (capabilities !== undefined && !capabilities.every(has)) return false;
  return minKernel === undefined || isAtLeast(facts.kernel, minKernel);
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/**
 * A profile in docker's format. undefined when it names neither an action nor calls, which docker
 * reads as "no filter". Throws EngineError DATA_LOSS when it is damaged.
 */
export function parseSeccompProfile(bytes: Uint8Array, title: string): SeccompProfile | undefined {
  const fields = new JsonFields(parseJson(bytes, title), title);
  const defaultAction = fields.string("defaultAction") ?? "";
  const calls = fields.list("syscalls");
  if (defaultAction === "" && calls.length === 0) return undefined;
  const defaultErrnoRet = fields.count("defaultErrnoRet");
  const architectures = fields.strings("architectures");
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(architectures.length === 0 ? {} : { architectures }),
    flags: fields.strings("flags"),
    rules: calls.map((call, n) => parseRule(call, `${title}: syscalls ${n}`)),
  };
}

function parseRule(value: unknown, title: string): SeccompRule {
  const fields = new JsonFields(value, title);
  const name = fields.string("name") ?? "";
  const errnoRet = fields.count("errnoRet");
  return {
    names: name === "" ? fields.strings("names") : [name],
    action: fields.requiredString("action"),
    ...(errnoRet === undefined ? {} : { errnoRet }),
    args: fields.list("args").map((argument, n) => parseArgument(argument, `${title}: args ${n}`)),
    ...(fields.has("includes") ? { includes: parseCondition(fields.object("includes")) } : {}),
    ...(fields.has("excludes") ? { excludes: parseCondition(fields.object("excludes")) } : {}),
  };
}

function parseArgument(value: unknown, title: string): SeccompArgument {
  const fields = new JsonFields(value, title);
  return {
    index: fields.count("index") ?? 0,
    value: fields.count("value") ?? 0,
    valueTwo: fields.count("valueTwo") ?? 0,
    op: fields.requiredString("op"),
  };
}

/** libseccomp's older names of processors, as profiles write them, to GOARCH. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x86: "386", mipsel64: "mips64le" };

/** An empty list says nothing, as in docker. */
function parseCondition(fields: JsonFields): SeccompCondition {
  const architectures = fields.strings("arches").map((name) => GO_ARCHITECTURES[name] ?? name);
  const capabilities = fields.strings("caps");
  const minKernel = fields.string("minKernel");
  return {
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(capabilities.length === 0 ? {} : { capabilities }),
    ...(minKernel === undefined || minKernel === "" ? {} : { minKernel }),
  };
}
