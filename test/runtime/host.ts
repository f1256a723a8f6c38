// A machine that runs containers as root, and images to run on it, for tests of what is made of them.

import { parseImageConfig, type RunConfig } from "../../src/oci/index.js";
import type { ByteString } from "../../src/path.js";
import { type ContainerConfig, plainContainer } from "../../src/runtime/container-config.js";
import {
  capabilitiesOfMask,
  type HostFacts,
  makeRuntimeSpec,
  type ResolvedUser,
  type RuntimeSpec,
  resolveUser,
} from "../../src/runtime/spec/index.js";

/** A capability that this host does not give is CAP_SYS_RESOURCE (24), as in some virtual machines. */
export const rootHost: HostFacts = {
  architecture: "amd64",
  kernel: "6.1.0-18-amd64",
  hostname: "thehost",
  capabilities: capabilitiesOfMask(((1n << 41n) - 1n) & ~(1n << 24n)),
  cgroups: "legacy",
  swapLimit: false,
  seccomp: true,
  inUserNamespace: false,
  devices: [
    { path: "/dev/sda", type: "b", major: 8, minor: 0, fileMode: 0o660, uid: 0, gid: 6 },
    { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
  ],
};

/** The same machine for a user who has one id. */
export const plainUserHost: HostFacts = {
  ...rootHost,
  cgroups: "none",
  idMappings: {
    uid: [{ containerID: 0, hostID: 1000, size: 1 }],
    gid: [{ containerID: 0, hostID: 1000, size: 1 }],
  },
};

export const rootUser: ResolvedUser = resolveUser("", {
  passwd: "" as ByteString,
  group: "" as ByteString,
});

/** An image's defaults, in docker's fields. */
export function imageDefaults(config: object): RunConfig {
  const document = { os: "linux", config, rootfs: { type: "layers", diff_ids: [] } };
  return parseImageConfig(document, "test image").run;
}

interface Asked {
  readonly config?: Partial<ContainerConfig>;
  readonly image?: object;
  readonly host?: HostFacts;
  readonly user?: ResolvedUser;
}

/** The document for a container of an image whose Cmd is sh, unless the test says otherwise. */
export function specOf({
  config,
  image,
  host = rootHost,
  user = rootUser,
}: Asked = {}): RuntimeSpec {
  return makeRuntimeSpec({
    config: { ...plainContainer(), network: "none", ...config },
    image: imageDefaults(image ?? { Cmd: ["sh"] }),
    rootfs: "/merged",
    user,
    hostname: "box",
    engineMounts: [],
    host,
  });
}
