/** Sub-commands: a word before any flag. What each needs is loaded only when it is asked for: the server needs none of it. */
import { ProcessHost, SIGNAL_EXIT_CODES } from "../sys/process-host.ts";
import { CommandError, type CommandMachine, EXIT, type ExitCode } from "./command.ts";

type Run = (argv: readonly string[]) => Promise<ExitCode>;

const COMMANDS: Readonly<Record<string, Run>> = { tool: runTool, "dev-cluster": runDevCluster };

export function isCommand([first]: readonly string[]): boolean {
  return first !== undefined && first !== "" && !first.startsWith("-");
}

export async function runCommand([name = "", ...argv]: readonly string[]): Promise<ExitCode> {
  const run = COMMANDS[name];
  if (run === undefined) {
    const known = Object.keys(COMMANDS).join(", ");
    process.stderr.write(
      `unknown command "${name}": commands are ${known}; without one, all options are flags (muninn -help)\n`,
    );
    return EXIT.refused;
  }
  const release = new ProcessHost().stayAlive();
  try {
    return await run(argv);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT.failed;
  } finally {
    release();
  }
}

async function runTool(argv: readonly string[]): Promise<ExitCode> {
  const { tool } = await import("./tool/tool.ts");
  return await tool(argv, await commandMachine());
}

async function runDevCluster(argv: readonly string[]): Promise<ExitCode> {
  const [{ devCluster }, { NodeNetwork }, { ChildProcesses }] = await Promise.all([
    import("./dev-cluster/dev-cluster.ts"),
    import("../sys/node-network.ts"),
    import("../sys/child-processes.ts"),
  ]);
  return await devCluster(argv, {
    ...(await commandMachine()),
    network: new NodeNetwork(),
    processes: new ChildProcesses(),
    nodePath: process.execPath,
    stopAsked: firstEndSignal(new ProcessHost()),
  });
}

/** The second one ends this process, and all that it started, at once. */
function firstEndSignal(host: ProcessHost): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    host.onEndSignal((signal) => {
      count++;
      if (count === 1) resolve();
      else host.exit(SIGNAL_EXIT_CODES[signal]);
    });
  });
}

async function commandMachine(): Promise<CommandMachine> {
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
