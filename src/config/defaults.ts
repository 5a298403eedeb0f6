/** Puts option values together into a frozen `Config`. Without any values it is the default configuration. */
import type { Option } from "./option.ts";
import { type Config, placedOptions } from "./schema.ts";

export function buildConfig(values: ReadonlyMap<Option, unknown>): Config {
  const dataDir = String(valueOf(values, dataDirOption()));
  const root: Record<string, unknown> = {};
  for (const { option, place } of placedOptions) {
    const value = valueOf(values, option);
    put(root, place, isDerived(option, value) ? inside(dataDir, option.underDataDir) : value);
  }
  return deepFreeze(root) as unknown as Config;
}

export function defaultConfig(): Config {
  return buildConfig(new Map());
}

/** The value that the option has in a configuration. */
export function configValue(config: Config, place: readonly string[]): unknown {
  let value: unknown = config;
  for (const key of place) value = (value as Record<string, unknown>)[key];
  return value;
}

function dataDirOption(): Option {
  return placedOptions.find(({ option }) => option.yaml === "data_dir")?.option as Option;
}

function valueOf(values: ReadonlyMap<Option, unknown>, option: Option): unknown {
  return values.has(option) ? values.get(option) : option.default;
}

function isDerived(
  option: Option,
  value: unknown,
): option is Option & { readonly underDataDir: string } {
  return option.underDataDir !== undefined && value === "";
}

export function inside(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

function put(root: Record<string, unknown>, place: readonly string[], value: unknown): void {
  let node = root;
  for (const key of place.slice(0, -1)) {
    node[key] ??= {};
    node = node[key] as Record<string, unknown>;
  }
  node[place.at(-1) as string] = value;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
