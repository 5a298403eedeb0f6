/**
 * The runtime file, read: per-tenant limits and this process' instance limits. Several files are one: a later one
 * wins key by key. Anything wrong makes the whole reading fail, so that limits never change by half.
 *
 *     overrides:
 *       <tenant>: { <limit>: <value> }
 *     distributor_limits: { <instance limit>: <value> }
 *     ingester_limits: { <instance limit>: <value> }
 */
import { isMap, type Node } from "yaml";
import type { Limits } from "../model/limits.ts";
import { limitFaults } from "./checks.ts";
import { closest, type KeyTable, keysUnder } from "./key-table.ts";
import type { Option } from "./option.ts";
import { limitOptions } from "./print.ts";
import { readMapping } from "./read-yaml.ts";
import { type Config, placedOptions } from "./schema.ts";
import { isEmpty, YamlFile } from "./yaml-file.ts";

export interface InstanceLimits {
  readonly distributor: Config["distributor"]["instanceLimits"];
  readonly ingester: Config["ingester"]["instanceLimits"];
}

export interface RuntimeConfig {
  /** Full limits of the tenants that have overrides. */
  readonly tenants: ReadonlyMap<string, Limits>;
  readonly instanceLimits: InstanceLimits;
}

/** What holds where the files say nothing. */
export interface RuntimeDefaults extends InstanceLimits {
  readonly limits: Limits;
  readonly tsdb: Config["tsdb"];
}

export interface NamedText {
  readonly path: string;
  readonly text: string;
}

export type RuntimeReading = RuntimeConfig | { readonly errors: readonly string[] };

const limitKeys = keysUnder("limits");
const instanceKeys = {
  distributor_limits: keysUnder("distributor.instance_limits"),
  ingester_limits: keysUnder("ingester.instance_limits"),
};

type Values = Map<Option, unknown>;

export function readRuntimeFiles(
  files: readonly NamedText[],
  defaults: RuntimeDefaults,
): RuntimeReading {
  const reader = new RuntimeReader();
  for (const file of files) reader.read(file);
  return reader.result(defaults);
}

class RuntimeReader {
  readonly #errors: string[] = [];
  readonly #tenants = new Map<string, { values: Values; where: string }>();
  readonly #instance: Values = new Map();

  read({ path, text }: NamedText): void {
    const file = new YamlFile(path, text);
    const root = file.root();
    for (const { key, keyNode, value } of root === undefined ? [] : file.entries(root)) {
      if (key === "overrides") this.#readTenants(file, value);
      else if (key === "distributor_limits" || key === "ingester_limits") {
        this.#readInto(this.#instance, file, value, { keys: instanceKeys[key], prefix: key });
      } else {
        const nearest = closest(key, ["overrides", ...Object.keys(instanceKeys)]);
        const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
        file.problem(keyNode, `${key}: unknown key${hint}`);
      }
    }
    this.#errors.push(...file.problems);
  }

  #readTenants(file: YamlFile, value: Node | null): void {
    if (isEmpty(value)) return;
    if (!isMap(value)) {
      file.problem(value, "overrides: must be a mapping of tenants to limits");
      return;
    }
    for (const { key: tenant, keyNode, value: limits } of file.entries(value)) {
      const known = this.#tenants.get(tenant);
      const values: Values = known?.values ?? new Map();
      this.#tenants.set(tenant, { values, where: file.where(keyNode) });
      this.#readInto(values, file, limits, { keys: limitKeys, prefix: `overrides.${tenant}` });
    }
  }

  #readInto(
    values: Values,
    file: YamlFile,
    map: Node | null,
    { keys, prefix }: { readonly keys: KeyTable; readonly prefix: string },
  ): void {
    if (isEmpty(map)) return;
    if (!isMap(map)) {
      file.problem(map, `${prefix}: must be a mapping of limits to values`);
      return;
    }
    for (const { option, value } of readMapping(file, map, { keys, prefix: `${prefix}.` })) {
      values.set(option, value);
    }
  }

  result(defaults: RuntimeDefaults): RuntimeReading {
    const tenants = new Map<string, Limits>();
    const errors = [...this.#errors];
    for (const [tenant, { values, where }] of this.#tenants) {
      const limits = limitsWith(values, defaults.limits);
      tenants.set(tenant, limits);
      for (const { key, message } of limitFaults(limits, defaults)) {
        errors.push(`${where}: overrides.${tenant}.${key}: ${message}`);
      }
    }
    if (errors.length > 0) return { errors };
    return { tenants, instanceLimits: instanceLimitsWith(this.#instance, defaults) };
  }
}

function limitsWith(values: Values, defaults: Limits): Limits {
  const given = limitOptions
    .filter(({ option }) => values.has(option))
    .map(({ option, name }) => [name, values.get(option)]);
  return Object.freeze({ ...defaults, ...(Object.fromEntries(given) as Partial<Limits>) });
}

function instanceLimitsWith(values: Values, defaults: InstanceLimits): InstanceLimits {
  const given = (component: string) =>
    Object.fromEntries(
      placedOptions
        .filter(({ option, place }) => place[0] === component && values.has(option))
        .map(({ option, place }) => [place[2], values.get(option)]),
    ) as object;
  return Object.freeze({
    distributor: Object.freeze({ ...defaults.distributor, ...given("distributor") }),
    ingester: Object.freeze({ ...defaults.ingester, ...given("ingester") }),
  });
}
