/**
 * From command line, file and environment to a `Config`, or to all that is wrong with them at once. Touches nothing itself:
 * the file comes through `readFile`.
 */
import { errorMessage } from "../base/errors.ts";
import { configFaults, type Fault } from "./checks.ts";
import { clusterWarnings } from "./cluster-checks.ts";
import { buildConfig, defaultConfig } from "./defaults.ts";
import { type Environment, expandEnv, refersToEnv } from "./expand-env.ts";
import { type Command, type CommandLine, parseCommandLine } from "./flags.ts";
import { configKeys } from "./key-table.ts";
import type { Feature, Option } from "./option.ts";
import { readMapping } from "./read-yaml.ts";
import { type Config, placedOptions } from "./schema.ts";
import { type Setting, settle } from "./setting.ts";
import { YamlFile } from "./yaml-file.ts";

export interface LoadInput {
  /** Without the program's name. */
  readonly argv: readonly string[];
  readonly readFile: (path: string) => Promise<string>;
  readonly env: Environment;
}

export interface Loaded {
  readonly config: Config;
  readonly command: Command;
  /** One sentence each, for the log. */
  readonly warnings: readonly string[];
  /** YAML paths of the options to which the operator gave a value, by whatever name, also if it is the default. */
  readonly explicit: ReadonlySet<string>;
}

export type LoadResult = Loaded | { readonly errors: readonly string[] };

export async function loadConfig(input: LoadInput): Promise<LoadResult> {
  const commandLine = parseCommandLine(input.argv);
  const { command } = commandLine;
  // Who asks for help may well have a mistake elsewhere.
  if (command.kind === "help" || command.kind === "version") {
    return { config: defaultConfig(), command, warnings: [], explicit: new Set() };
  }
  const file = await readSettings(commandLine, input);
  const { winners, problems } = settle([...file.settings, ...commandLine.settings]);
  const found = [...commandLine.problems, ...file.problems, ...problems];
  // The checks below compare values; with values missing they would find faults that are not there.
  if (found.length > 0) return { errors: found };
  const config = buildConfig(new Map([...winners].map(([option, { value }]) => [option, value])));
  const byYaml = new Map([...winners].map(([option, setting]) => [option.yaml, setting]));
  const isSet = (yaml: string): boolean => byYaml.has(yaml);
  const errors = configFaults(config, isSet).map((fault) => faultText(fault, byYaml));
  if (errors.length > 0) return { errors };
  const warnings = [
    ...file.warnings,
    ...clusterWarnings(config, isSet).map((fault) => faultText(fault, byYaml)),
    ...waitingWarnings(winners),
  ];
  return { config, command, warnings, explicit: new Set(byYaml.keys()) };
}

interface FileSettings {
  readonly settings: readonly Setting[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

async function readSettings(commandLine: CommandLine, input: LoadInput): Promise<FileSettings> {
  const path = commandLine.configFile;
  if (path === undefined) return { settings: [], problems: [], warnings: [] };
  let text: string;
  try {
    text = await input.readFile(path);
  } catch (error) {
    return { settings: [], problems: [`${path}: ${errorMessage(error)}`], warnings: [] };
  }
  const file = new YamlFile(path, text);
  const root = file.root();
  const env = new EnvExpansion(commandLine.expandEnv, input.env);
  const settings =
    root === undefined ? [] : readMapping(file, root, { keys: configKeys, expand: env.expand });
  return { settings, problems: file.problems, warnings: env.warnings };
}

/** Expands when asked to; else keeps the text, as Mimir does, but says so: a literal "${KEY}" is hardly what was meant. */
class EnvExpansion {
  readonly warnings: string[] = [];
  readonly #isOn: boolean;
  readonly #env: Environment;

  constructor(isOn: boolean, env: Environment) {
    this.#isOn = isOn;
    this.#env = env;
  }

  readonly expand = (text: string, where: string, name: string): string => {
    if (!refersToEnv(text)) return text;
    if (!this.#isOn) {
      this.warnings.push(
        `${where}: ${name}: refers to an environment variable, which stays as it is written: start with -config.expand-env to have it replaced`,
      );
      return text;
    }
    const expanded = expandEnv(text, this.#env);
    for (const variable of expanded.unset) {
      this.warnings.push(
        `${where}: ${name}: the environment variable ${variable} is not set: nothing stands in its place`,
      );
    }
    return expanded.text;
  };
}

function faultText({ key, message, other }: Fault, byYaml: ReadonlyMap<string, Setting>): string {
  const own = byYaml.get(key);
  const where = (own ?? byYaml.get(other ?? ""))?.where ?? "configuration";
  return `${where}: ${own?.name ?? key}: ${message}`;
}

/** One sentence for each feature that settings wait for: also if they are set to the default, which does not happen either. */
function waitingWarnings(winners: ReadonlyMap<Option, Setting>): string[] {
  const waiting = new Map<Feature, Setting[]>();
  for (const { option } of placedOptions) {
    const setting = winners.get(option);
    if (option.waitsFor === undefined || setting === undefined) continue;
    waiting.set(option.waitsFor, [...(waiting.get(option.waitsFor) ?? []), setting]);
  }
  return [...waiting].map(([feature, settings]) => {
    const names = settings.map(({ name, where }) => `${name} (${where})`).join(", ");
    return `read and checked, but without effect until this version has the feature "${feature}": ${names}`;
  });
}
