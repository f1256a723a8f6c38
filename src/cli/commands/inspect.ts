// inspect, for all kinds of objects; "image inspect" and its like are the same for one kind.

import type { Command } from "commander";
import { type Inspection, inspect, OBJECT_TYPES, type ObjectType } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { forEachObject } from "../each.js";
import { type GlobalOptions, note, openStore, print, printLine } from "../session.js";
import { asGoValue, DEFAULTS } from "../template/go-value.js";
import { parseTemplate } from "../template/index.js";

interface InspectFlags {
  readonly format?: string;
  readonly type?: string;
  readonly size?: boolean;
}

/** `type`: the kind that the management word names ("image inspect"); all kinds unless given. */
export function addInspect(program: Command, type?: ObjectType): void {
  const command = program
    .command(type === undefined ? "inspect <name...>" : `inspect <${type}...>`)
    .description(
      `show everything about ${type ?? "image"}s${type === undefined ? ", containers or volumes" : ""}`,
    )
    .option("-f, --format <format>", 'a Go template, or "json" for one line');
  if (type === undefined) {
    command.option("--type <type>", `only objects of this type: ${OBJECT_TYPES.join(", ")}`);
  }
  if (type === undefined || type === "container") {
    command.option("-s, --size", "total file sizes, if it is a container");
  }
  command
    .addHelpText(
      "after",
      `
Examples:
  strata inspect -f '{{.Id}} {{.Size}}' debian:12
  strata inspect -f '{{range .Config.Env}}{{println .}}{{end}}' debian:12
  strata inspect -f '{{json .RootFS.Layers}}' debian:12`,
    )
    .action(async (names: string[], flags: InspectFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const wanted = type ?? objectType(flags.type);
      const output = outputOf(flags.format ?? "");
      await forEachObject(names, async (name) => {
        const { type: found, value } = await inspect(store, {
          name,
          size: flags.size === true,
          ...(wanted === undefined ? {} : { type: wanted }),
        });
        if (flags.size === true && found !== "container") {
          note(`WARNING: --size ignored for ${found}`);
        }
        output.add(value);
      });
      output.end();
    });
}

function objectType(text: string | undefined): ObjectType | undefined {
  const type = OBJECT_TYPES.find((known) => known === text);
  if (text === undefined || type !== undefined) return type;
  const known = OBJECT_TYPES.map((name) => `"${name}"`).join(", ");
  throw new EngineError("INVALID_ARGUMENT", `unknown type: "${text}": must be one of ${known}`);
}

/** Where objects go: a list as JSON, or a text for each by a template. */
interface InspectOutput {
  add(value: Inspection): void;
  end(): void;
}

function outputOf(format: string): InspectOutput {
  if (format === "" || format === "json") {
    const values: Inspection[] = [];
    const indent = format === "" ? 4 : 0;
    return {
      add: (value) => void values.push(value),
      end: () => printLine(JSON.stringify(values, null, indent)),
    };
  }
  const template = parseTemplate(format);
  let text = "";
  return {
    add: (value) => {
      text += `${template.render(asGoValue(value), { defaults: DEFAULTS })}\n`;
    },
    // docker prints an empty line where nothing was found.
    end: () => print(text === "" ? "\n" : text),
  };
}
