/**
 * The command line: `muninn [flags]`, or `muninn <command> …` (commands.ts). Problems go to standard error and end the program
 * with status 1; what was asked for (help, version, configuration) goes to standard output; else the program runs.
 */
import { helpText } from "../config/help.ts";
import { type Loaded, loadConfig } from "../config/load.ts";
import { printConfig } from "../config/print.ts";
import { NodeFileSystem } from "../sys/node-file-system.ts";
import { isCommand, runCommand } from "./commands.ts";
import { versionText } from "./version.ts";

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  if (isCommand(argv)) {
    process.exitCode = await runCommand(argv);
    return;
  }
  const fileSystem = new NodeFileSystem();
  const loaded = await loadConfig({
    argv,
    readFile: async (path) => new TextDecoder().decode(await fileSystem.readFile(path)),
    env: process.env,
  });
  if ("errors" in loaded) {
    process.stderr.write(lines(loaded.errors));
    process.exitCode = 1;
    return;
  }
  await obey(loaded);
}

async function obey({ command, config, warnings, explicit }: Loaded): Promise<void> {
  switch (command.kind) {
    case "help":
      process.stdout.write(helpText(command.all));
      return;
    case "version":
      process.stdout.write(versionText());
      return;
    case "print-config":
      process.stderr.write(lines(warnings));
      process.stdout.write(printConfig(config, command.mode));
      return;
    case "run": {
      // Loaded only now: help and mistakes answer at once.
      const { runApp } = await import("../app/run.ts");
      await runApp({ config, warnings, explicit });
    }
  }
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

await main();
