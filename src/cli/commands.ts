/** Sub-commands: a word before any flag. */
import { ProcessHost } from "../sys/process-host.ts";
import { CommandError, type CommandMachine, EXIT, type ExitCode } from "./command.ts";

type Run = (argv: readonly string[], machine: CommandMachine) => Promise<ExitCode>;

/** Loaded only when asked for: the server does not need them. */
const COMMANDS: Readonly<Record<string, () => Promise<Run>>> = {
  tool: async () => (await import("./tool/tool.ts")).tool,
};

export function isCommand([first]: readonly string[]): boolean {
  return first !== undefined && first !== "" && !first.startsWith("-");
}

export async function runCommand([name = "", ...argv]: readonly string[]): Promise<ExitCode> {
  const load = COMMANDS[name];
  if (load === undefined) {
    const known = Object.keys(COMMANDS).join(", ");
    process.stderr.write(
      `unknown command "${name}": commands are ${known}; without one, all options are flags (muninn -help)\n`,
    );
    return EXIT.refused;
  }
  const release = new ProcessHost().stayAlive();
  try {
    const run = await load();
    return await run(argv, await machine());
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT.failed;
  } finally {
    release();
  }
}

async function machine(): Promise<CommandMachine> {
  const [{ SystemClock }, { UndiciClient }] = await Promise.all([
    import("../sys/system-clock.ts"),
    import("../sys/http-client.ts"),
  ]);
  return {
    clock: new SystemClock(),
    http: new UndiciClient(),
    env: process.env,
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
  };
}
