/** `muninn tool`: what an operator does to a running cluster. */
import { CommandError, type CommandMachine, EXIT, type ExitCode } from "../command.ts";
import { RING_HELP, ringTool } from "./ring/ring.ts";

const TOOL_HELP = `Usage: muninn tool <name> [flags]

  ring      look at the rings of a cluster and mend them

Each tool says more with --help.`;

const HELP_WORDS = ["--help", "-help", "-h", "help"];

export async function tool(argv: readonly string[], machine: CommandMachine): Promise<ExitCode> {
  const [name, ...rest] = argv;
  if (name === "ring") {
    if (rest.length > 0 && !rest.some(isHelp)) return await ringTool(rest, machine);
    machine.out(RING_HELP);
    return EXIT.ok;
  }
  if (name !== undefined && !isHelp(name)) {
    throw new CommandError(`unknown tool "${name}"\n\n${TOOL_HELP}`);
  }
  machine.out(TOOL_HELP);
  return EXIT.ok;
}

function isHelp(word: string): boolean {
  return HELP_WORDS.includes(word);
}
