/** A configuration as YAML with Mimir's keys, for /config and -print.config. Secrets are stars. */
import { stringify } from "yaml";
import type { Limits } from "../model/limits.ts";
import { configValue, defaultConfig, inside } from "./defaults.ts";
import type { PrintMode } from "./flags.ts";
import { lastPart } from "./key-table.ts";
import { type Config, type PlacedOption, placedOptions } from "./schema.ts";

export type { PrintMode } from "./flags.ts";

export function printConfig(config: Config, mode: PrintMode): string {
  const shown = mode === "defaults" ? defaultConfig() : config;
  const options = mode === "diff" ? placedOptions.filter(differsIn(config)) : placedOptions;
  const tree: Record<string, unknown> = {};
  for (const { option, place } of options) {
    put(tree, option.yaml.split("."), option.kind.print(configValue(shown, place)));
  }
  return stringify(tree, { lineWidth: 0 });
}

/** Each flag with the text that gives its value, for /api/v1/status/flags. */
export function flagTexts(config: Config): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const { option, place } of placedOptions) {
    if (option.flag === undefined) continue;
    const printed = option.kind.print(configValue(config, place));
    texts[option.flag] =
      option.kind.form === "structure"
        ? JSON.stringify(printed)
        : Array.isArray(printed)
          ? printed.join(",")
          : String(printed);
  }
  return texts;
}

/** All limits, or those that are not as in `unlike`, by Mimir's names: for /runtime_config and /api/v1/user_limits. */
export function limitsTree(limits: Limits, unlike?: Limits): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const { option, name } of limitOptions) {
    const value = limits[name];
    if (unlike !== undefined && equal(value, unlike[name])) continue;
    tree[lastPart(option.yaml)] = option.kind.print(value);
  }
  return tree;
}

/** The limits with their names in the program. A name of the table that `Limits` lacks does not compile where this is used. */
export const limitOptions = placedOptions
  .filter(({ place }) => place[0] === "limits")
  .map(({ option, place }) => ({ option, name: place[1] as keyof Config["limits"] }));

/** A directory under data_dir is compared with the one that this data_dir gives, so that moving it alone shows one line. */
function differsIn(config: Config): (placed: PlacedOption) => boolean {
  const defaults = defaultConfig();
  return ({ option, place }) => {
    const { underDataDir } = option;
    const usual =
      underDataDir === undefined
        ? configValue(defaults, place)
        : inside(config.dataDir, underDataDir);
    return !equal(configValue(config, place), usual);
  };
}

function equal(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function put(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let node = tree;
  for (const key of path.slice(0, -1)) {
    node[key] ??= {};
    node = node[key] as Record<string, unknown>;
  }
  node[path.at(-1) as string] = value;
}
