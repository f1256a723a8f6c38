// Manual pages out of the command tree and the help texts, so that they say what the programs do.
// Pure: text in, roff out. https://man7.org/linux/man-pages/man7/man.7.html

import type { Command } from "commander";
import { visibleCommands } from "./completion/candidates.js";

/** What stands in the head and foot of a page. */
export interface PageTitle {
  readonly version: string;
  /** "November 2026". */
  readonly date: string;
}

/** strata(1): every command with its options, and the examples of its help. */
export function commandPage(program: Command, title: PageTitle): string {
  const name = program.name();
  return [
    head(name, program.description(), title),
    section("SYNOPSIS", `.B ${roff(name)}\n[OPTIONS] COMMAND [ARGUMENTS]`),
    section("DESCRIPTION", paragraphs(program.description())),
    section("OPTIONS", optionsOf(program)),
    ...visibleCommands(program).map((command) => commandSection(command, name)),
    section("EXAMPLES", extraHelp(program).replace(/^\.PP\n/, "")),
    section(
      "EXIT STATUS",
      paragraphs(
        "0 on success, another one on failure, with one line of reason on standard error.",
      ),
    ),
    section("ENVIRONMENT", environment()),
    section("SEE ALSO", ".BR strata-overlay (1),\n.BR docker (1),\n.BR skopeo (1)"),
  ].join("");
}

/** A page of a help text that stands by itself: its first paragraph is the synopsis. */
export function textPage(name: string, summary: string, help: string, title: PageTitle): string {
  const [usage = "", ...rest] = help.split("\n\n");
  return [
    head(name, summary, title),
    section("SYNOPSIS", verbatim(usage.replace(/^Usage: /, "").replaceAll(/^ {7}/gm, ""))),
    section("DESCRIPTION", rest.map((part) => verbatim(part)).join(".PP\n")),
    section("SEE ALSO", ".BR strata (1),\n.BR mount (8)"),
  ].join("");
}

function head(name: string, summary: string, { version, date }: PageTitle): string {
  const title = `.TH ${quoted(name.toUpperCase())} 1 ${quoted(date)} ${quoted(`strata ${version}`)}`;
  const line = summary.replace(/\.$/, "");
  return `${title}\n${section("NAME", `${roff(name)} \\- ${roff(line)}`)}`;
}

function section(title: string, body: string): string {
  return `.SH ${quoted(title)}\n${body.trimEnd()}\n`;
}

function commandSection(command: Command, above: string): string {
  const name = `${above} ${command.name()}`;
  const inner = visibleCommands(command);
  return [
    `.SH ${quoted(name.toUpperCase())}\n`,
    `.B ${roff(name)}\n${roff(command.usage()) || "\\&"}\n`,
    `.PP\n${paragraphs(command.description())}`,
    optionsOf(command),
    extraHelp(command),
    ...inner.map((each) => commandSection(each, name)),
  ].join("");
}

function optionsOf(command: Command): string {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .map((option) => {
      const text = help.optionDescription(option);
      return `.TP\n.B ${roff(help.optionTerm(option))}\n${roff(text) || "\\&"}\n`;
    })
    .join("");
}

/** What help prints behind the options: notes and examples, as they stand. */
function extraHelp(command: Command): string {
  const whole = helpOf(command);
  const extra = whole.slice(command.helpInformation().trimEnd().length).trim();
  return extra === "" ? "" : `.PP\n${verbatim(extra)}`;
}

/** All that `--help` prints. */
export function helpOf(command: Command): string {
  let printed = "";
  const before = command.configureOutput();
  command.configureOutput({ ...before, writeOut: (text) => (printed += text) });
  command.outputHelp();
  command.configureOutput(before);
  return printed;
}

function environment(): string {
  const variables = [
    ["STRATA_ROOT", "the store, unless --root names one"],
    [
      "SOURCE_DATE_EPOCH",
      "seconds since 1970: when new images were made, and the latest time in new layers",
    ],
    [
      "STRATA_FAST_WAKEUPS",
      "auto, on or off: whether processors sleep lightly while a mount of root is asked for much (strata-overlay(1))",
    ],
    ["DOCKER_CONFIG", "the directory of docker's config.json, which holds credentials"],
    ["HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "proxies, as curl reads them"],
  ] as const;
  return variables.map(([name, text]) => `.TP\n.B ${roff(name)}\n${roff(text)}\n`).join("");
}

function paragraphs(text: string): string {
  return `${roff(text)}\n`;
}

function verbatim(text: string): string {
  return `.nf\n${roff(text.trimEnd())}\n.fi\n`;
}

/** Text that roff shows as it is. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll(/^\./gm, "\\&.");
}

function quoted(text: string): string {
  return `"${roff(text).replaceAll('"', "\\(dq")}"`;
}
