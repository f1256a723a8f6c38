// pull, push, search, login, logout.

import type { Command } from "commander";
import {
  isBareName,
  login,
  logout,
  type PullRequest,
  type PushRequest,
  pull,
  push,
  registryDomain,
  search,
} from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import {
  familiarReference,
  familiarRepository,
  formatReference,
  parseReference,
} from "../../oci/index.js";
import { cut } from "../format.js";
import { transferLines } from "../layer-lines.js";
import { formatOption, type Listing, renderListing } from "../listing.js";
import { pullHead, pullTail } from "../pull-lines.js";
import { collect } from "../repeatable.js";
import { ask, readSecret } from "../secret.js";
import { type GlobalOptions, note, openStore, print, printLine } from "../session.js";

/** How the registry is spoken to; the same for all commands. */
interface ConnectionFlags {
  readonly tlsVerify: string;
  readonly certDir?: string;
  readonly caFile?: string;
}

function withConnection(command: Command): Command {
  return command
    .option(
      "--tls-verify <bool>",
      "false: certificates are not checked, plain http is spoken",
      "true",
    )
    .option("--cert-dir <dir>", "*.crt authorities, *.cert and *.key of the client")
    .option("--ca-file <file>", "an authority to be trusted besides the system's");
}

function connectionOf(flags: ConnectionFlags) {
  const { tlsVerify, certDir, caFile } = flags;
  if (!/^(true|false|1|0)$/i.test(tlsVerify)) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      `Cannot use "${tlsVerify}": --tls-verify is true or false`,
    );
  }
  return {
    tlsVerify: /^(true|1)$/i.test(tlsVerify),
    ...(certDir === undefined ? {} : { certDir }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

/** search, login, logout. */
export function addRegistryCommands(program: Command): void {
  addSearch(program);
  addLogin(program);
}

/** pull, push. */
export function addTransferCommands(program: Command): void {
  addPull(program);
  addPush(program);
}

interface PullFlags extends ConnectionFlags {
  readonly allTags?: boolean;
  readonly quiet?: boolean;
  readonly platform?: string;
}

function addPull(program: Command): void {
  const command = program
    .command("pull <name>")
    .description("download an image from a registry")
    .option("-a, --all-tags", "every tag of the repository")
    .option("-q, --quiet", "only the image's name")
    .option("--platform <platform>", 'such as "linux/arm64"; this machine\'s by default');
  withConnection(command).action(async (name: string, flags: PullFlags) => {
    const wanted = parseReference(name);
    const { quiet = false, allTags = false, platform } = flags;
    const bare = isBareName(wanted, name);
    if (bare && !allTags && !quiet) printLine(`Using default tag: ${wanted.tag}`);
    const lines = transferLines("pull", ({ reference }) => printLine(pullHead(reference)));
    const request: PullRequest = {
      reference: name,
      allTags,
      connection: connectionOf(flags),
      ...(platform === undefined ? {} : { platform }),
      ...(quiet ? {} : { onEvent: lines.onEvent }),
    };
    const store = await openStore(program.optsWithGlobals<GlobalOptions>());
    const pulled = await pull(store, request).finally(lines.end);
    if (quiet) {
      for (const { reference } of pulled) printLine(formatReference(reference));
      return;
    }
    const title = allTags ? familiarRepository(wanted) : familiarReference(wanted);
    for (const line of pullTail(pulled, title)) printLine(line);
    printLine(allTags ? title : formatReference(wanted));
  });
}

interface PushFlags extends ConnectionFlags {
  readonly allTags?: boolean;
  readonly quiet?: boolean;
  readonly compression?: string;
}

function addPush(program: Command): void {
  const command = program
    .command("push <name>")
    .description("upload an image to a registry")
    .option("-a, --all-tags", "every tag of the repository that is here")
    .option("-q, --quiet", "only the image's name")
    .option(
      "--compression <kind>",
      "gzip, zstd or none for all layers; by default layers that are not packed are gzipped",
    );
  withConnection(command).action(async (name: string, flags: PushFlags) => {
    const wanted = parseReference(name);
    const { quiet = false, allTags = false, compression } = flags;
    const repository = formatReference({ ...wanted, tag: undefined, digest: undefined });
    if (!quiet) {
      if (isBareName(wanted, name) && !allTags) printLine(`Using default tag: ${wanted.tag}`);
      printLine(`The push refers to repository [${repository}]`);
    }
    const lines = transferLines("push", () => undefined);
    const request: PushRequest = {
      reference: name,
      allTags,
      connection: connectionOf(flags),
      ...(compression === undefined ? {} : { compression: compressionOf(compression) }),
      ...(quiet ? {} : { onEvent: lines.onEvent }),
    };
    const store = await openStore(program.optsWithGlobals<GlobalOptions>());
    const pushed = await push(store, request).finally(lines.end);
    for (const { reference, digest, sizeBytes } of pushed) {
      if (quiet) printLine(formatReference(reference));
      else printLine(`${reference.tag}: digest: ${digest} size: ${sizeBytes}`);
    }
  });
}

function compressionOf(text: string): "gzip" | "zstd" | "none" {
  if (text === "gzip" || text === "zstd" || text === "none") return text;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot compress by "${text}": the kinds are gzip, zstd and none`,
  );
}

interface SearchFlags extends ConnectionFlags {
  readonly limit: string;
  readonly filter?: string[];
  readonly trunc: boolean;
  readonly format: string;
}

const DESCRIPTION_WIDTH = 45;

function addSearch(program: Command): void {
  const command = program
    .command("search <term>")
    .description('find repositories on Docker Hub, or on the registry of "host:port/term"')
    .option("--limit <number>", "most results", "25")
    .option("-f, --filter <condition>", "stars=NUMBER, is-official=BOOL (repeatable)", collect)
    .option("--no-trunc", "whole descriptions")
    .addOption(formatOption());
  withConnection(command).action(async (term: string, flags: SearchFlags) => {
    const found = await search({
      term,
      limit: Number(flags.limit),
      connection: connectionOf(flags),
      ...(flags.filter === undefined ? {} : { filters: flags.filter }),
    });
    const description = (text: string): string => {
      const line = text.replace(/\s+/g, " ");
      return flags.trunc ? cut(line, DESCRIPTION_WIDTH) : line;
    };
    const [yes, no] = flags.format === "json" ? ["true", "false"] : ["[OK]", ""];
    const listing: Listing<(typeof found)[number]> = {
      titles: {
        Name: "NAME",
        Description: "DESCRIPTION",
        StarCount: "STARS",
        IsOfficial: "OFFICIAL",
      },
      fields: (entry) => ({
        Name: entry.name,
        Description: description(entry.description),
        StarCount: String(entry.stars),
        IsOfficial: entry.official ? yes : no,
      }),
      table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
    };
    print(renderListing(listing, found, flags.format));
  });
}

interface LoginFlags extends ConnectionFlags {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
}

function addLogin(program: Command): void {
  const command = program
    .command("login [server]")
    .description("store credentials for a registry, Docker Hub by default")
    .option("-u, --username <name>", "asked for when it is not given")
    .option("-p, --password <password>", "better: --password-stdin")
    .option("--password-stdin", "read the password from standard input");
  withConnection(command).action(async (server: string | undefined, flags: LoginFlags) => {
    const credential = await credentialOf(flags);
    const { helper, path } = await login({
      ...credential,
      connection: connectionOf(flags),
      ...(server === undefined ? {} : { server }),
    });
    if (helper === undefined) {
      note(
        `WARNING! Your password will be stored unencrypted in ${path}.\nConfigure a credential helper to remove this warning.\n`,
      );
    }
    printLine("Login Succeeded");
  });
  program
    .command("logout [server]")
    .description("forget the credentials for a registry")
    .action(async (server: string | undefined) => {
      const domain = registryDomain(server);
      const known = await logout(server === undefined ? {} : { server });
      printLine(known ? `Removing login credentials for ${domain}` : `Not logged in to ${domain}`);
    });
}

async function credentialOf(flags: LoginFlags): Promise<{ username: string; password: string }> {
  const { password, passwordStdin = false } = flags;
  if (password !== undefined && passwordStdin) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      "--password and --password-stdin are mutually exclusive",
    );
  }
  if (password !== undefined) {
    note("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
  }
  if (passwordStdin && flags.username === undefined) {
    throw new EngineError("INVALID_ARGUMENT", "Must provide --username with --password-stdin");
  }
  const username = flags.username ?? (await ask("Username: "));
  const secret = passwordStdin ? await readSecret() : (password ?? (await ask("Password: ", true)));
  if (username === "") throw new EngineError("INVALID_ARGUMENT", "Non-null Username Required");
  if (secret === "") throw new EngineError("INVALID_ARGUMENT", "Password Required");
  return { username, password: secret };
}
