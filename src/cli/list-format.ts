// The format of a list: what --format says, else what docker's config says.

import type { Command } from "commander";
import { configuredFormat, type ListFormat } from "../engine/index.js";
import { EngineError, isFsError } from "../errors.js";
import { note } from "./session.js";

/** `command` has formatOption(). A config that can't be read is no hindrance, as in docker. */
export async function formatOf(command: Command, list: ListFormat): Promise<string> {
  const { format } = command.opts<{ readonly format: string }>();
  if (command.getOptionValueSource("format") !== "default") return format;
  try {
    return (await configuredFormat(list)) ?? format;
  } catch (error) {
    if (!(error instanceof EngineError || isFsError(error))) throw error;
    note(`WARNING: Error loading config file: ${error.message}`);
    return format;
  }
}
