/**
 * The command line, in the syntax of Go's `flag` package, which Mimir's users know: `-name=value`, `-name value`, two dashes
 * as well as one, a boolean alone is true (and takes its value only after `=`), `--` ends the flags. There are no arguments beside flags.
 */
import { closest, configFlags } from "./key-table.ts";
import type { Option } from "./option.ts";
import { ranks, type Setting } from "./setting.ts";

export const printModes = ["full", "diff", "defaults"] as const;
export type PrintMode = (typeof printModes)[number];

/** What the process is asked to do. */
export type Command =
  | { readonly kind: "run" }
  | { readonly kind: "help"; readonly all: boolean }
  | { readonly kind: "version" }
  | { readonly kind: "print-config"; readonly mode: PrintMode };

export interface CommandLine {
  readonly command: Command;
  readonly configFile: string | undefined;
  readonly expandEnv: boolean;
  readonly settings: readonly Setting[];
  readonly problems: readonly string[];
}

interface CommandFlag {
  readonly name: string;
  /** Empty: the flag stands alone. */
  readonly value: string;
  readonly doc: string;
}

/** Flags that are not options of the file. */
export const commandFlags: readonly CommandFlag[] = [
  {
    name: "config.file",
    value: "path",
    doc: "YAML file with options. A flag goes before the file.",
  },
  {
    name: "config.expand-env",
    value: "",
    doc: "Replace `${NAME}` and `${NAME:default}` in values of the file by environment variables.",
  },
  {
    name: "print.config",
    value: "",
    doc: "Print the configuration as YAML, secrets masked, and exit. `-print.config=diff`: only what is not the default; `-print.config=defaults`: the defaults.",
  },
  { name: "help", value: "", doc: "Print the most used flags and exit." },
  { name: "help-all", value: "", doc: "Print all flags and exit." },
  { name: "version", value: "", doc: "Print the version and exit." },
];

export function parseCommandLine(argv: readonly string[]): CommandLine {
  return new CommandLineParser(argv).parse();
}

interface Flag {
  readonly name: string;
  /** Undefined: nothing after "=". */
  readonly value: string | undefined;
}

class CommandLineParser {
  readonly #rest: string[];
  readonly #settings: Setting[] = [];
  readonly #problems: string[] = [];
  #command: Command = { kind: "run" };
  #configFile: string | undefined;
  #expandEnv = false;

  constructor(argv: readonly string[]) {
    this.#rest = [...argv];
  }

  parse(): CommandLine {
    for (let word = this.#rest.shift(); word !== undefined; word = this.#rest.shift()) {
      if (word === "--") break;
      const found = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word);
      if (found === null) this.#problem(`unexpected argument "${word}" (all options are flags)`);
      else this.#flag({ name: found[1] as string, value: found[2] });
    }
    for (const word of this.#rest) this.#problem(`unexpected argument "${word}"`);
    return {
      command: this.#command,
      configFile: this.#configFile,
      expandEnv: this.#expandEnv,
      settings: this.#settings,
      problems: this.#problems,
    };
  }

  #flag(flag: Flag): void {
    const known = configFlags.get(flag.name);
    if (known === undefined) return this.#commandFlag(flag);
    const { option, inherited } = known;
    const value = this.#valueOf(flag, option.kind.bareFlag);
    if (value === undefined) return;
    const parsed = option.kind.parse(value);
    if ("problem" in parsed) return this.#problem(`-${flag.name}: ${parsed.problem}`);
    const name = `-${flag.name}`;
    const rank = inherited ? ranks.inheritedFlag : ranks.ownFlag;
    this.#settings.push({
      option,
      value: this.#joined(option, name, parsed.value),
      where: "command line",
      name,
      rank,
    });
  }

  /** A list flag that stands several times names more items each time. */
  #joined(option: Option, name: string, value: unknown): unknown {
    const before = this.#settings.findLast((setting) => setting.name === name);
    if (option.kind.form !== "list" || before === undefined) return value;
    return [...(before.value as string[]), ...(value as string[])];
  }

  #commandFlag(flag: Flag): void {
    switch (flag.name) {
      case "config.file":
        this.#configFile = this.#valueOf(flag) ?? this.#configFile;
        return;
      case "config.expand-env":
        this.#expandEnv = this.#switch(flag);
        return;
      case "print.config":
        return this.#printConfig(flag);
      case "h":
      case "help":
        return this.#ask(flag, { kind: "help", all: false });
      case "help-all":
        return this.#ask(flag, { kind: "help", all: true });
      case "version":
        return this.#ask(flag, { kind: "version" });
      default:
        return this.#unknown(flag);
    }
  }

  #printConfig(flag: Flag): void {
    const mode = printModes.find((known) => known === flag.value);
    if (mode !== undefined) this.#command = { kind: "print-config", mode };
    else this.#ask(flag, { kind: "print-config", mode: "full" });
  }

  #ask(flag: Flag, command: Command): void {
    if (this.#switch(flag)) this.#command = command;
  }

  #switch(flag: Flag): boolean {
    if (flag.value === undefined || flag.value === "true") return true;
    if (flag.value !== "false") this.#problem(`-${flag.name}: "${flag.value}" is not a boolean`);
    return false;
  }

  #valueOf(flag: Flag, bare?: string): string | undefined {
    const value = flag.value ?? bare ?? this.#rest.shift();
    if (value === undefined) this.#problem(`-${flag.name}: the value is missing`);
    return value;
  }

  #unknown(flag: Flag): void {
    const names = [...configFlags.keys(), ...commandFlags.map(({ name }) => name)];
    const nearest = closest(flag.name, names);
    const hint = nearest === undefined ? "" : `; did you mean -${nearest}?`;
    this.#problem(`-${flag.name}: unknown flag${hint}`);
  }

  #problem(message: string): void {
    this.#problems.push(`command line: ${message}`);
  }
}
