// What an image that is made of a container says of programs to run: what the container was asked to
// be, over what its image says. docker commits a container's Config in the same way.
// https://docs.docker.com/reference/cli/docker/container/commit/

import type { ConfigChange } from "../../image/index.js";
import type { ContainerConfig } from "../../runtime/index.js";

/** The container's options as changes of its image's config. Mounts, limits and rights stay the container's. */
export function committedChanges(config: ContainerConfig): ConfigChange[] {
  const { entrypoint, command, environment, user, workingDirectory, stopSignal } = config;
  const pairs = environment.flatMap((variable) => {
    const equals = variable.indexOf("=");
    return equals < 0 ? [] : [[variable.slice(0, equals), variable.slice(equals + 1)] as const];
  });
  const labels = Object.entries(config.labels);
  return [
    ...(pairs.length > 0 ? [{ name: "ENV", pairs } as const] : []),
    ...(labels.length > 0 ? [{ name: "LABEL", pairs: labels } as const] : []),
    ...(entrypoint === undefined ? [] : [exec("ENTRYPOINT", entrypoint)]),
    ...(command.length > 0 ? [exec("CMD", command)] : []),
    ...(user === undefined ? [] : [{ name: "USER", text: user } as const]),
    ...(workingDirectory === undefined
      ? []
      : [{ name: "WORKDIR", text: workingDirectory } as const]),
    ...(stopSignal === undefined ? [] : [{ name: "STOPSIGNAL", text: stopSignal } as const]),
  ];
}

function exec(name: "CMD" | "ENTRYPOINT", words: readonly string[]): ConfigChange {
  return { name, command: { form: "exec", words } };
}
