// The settings with which podman and buildah work on any machine of the tests and benchmarks.

/** A containers.conf; `network` is the name space that containers get. */
export function containersConf(network: "host" | "none"): string {
  return `[containers]
default_ulimits=["nofile=1024:20000","nproc=1000:1000"]
netns="${network}"
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
`;
}
