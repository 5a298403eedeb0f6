/**
 * All options in the shape of `Config`: the one table. The type of the configuration is read off it, and so is the flat list
 * that YAML reading, flags, printing and the reference walk over.
 */
import type { Option } from "./option.ts";
import { ingesterClientOptions } from "./options/ingester-client.ts";
import { limitsOptions } from "./options/limits.ts";
import { memberlistOptions } from "./options/memberlist.ts";
import { querierOptions, queryFrontendOptions } from "./options/read-path.ts";
import {
  compactorRingOptions,
  distributorRingOptions,
  querierRingOptions,
  ringOptions,
  storeGatewayRingOptions,
} from "./options/ring.ts";
import { runtimeConfigOptions } from "./options/runtime-config.ts";
import { authOptions, logOptions, processOptions, serverOptions } from "./options/server.ts";
import { storageOptions } from "./options/storage.ts";
import { distributorOptions, ingesterOptions, tsdbOptions } from "./options/write-path.ts";

export const schema = {
  ...processOptions,
  auth: authOptions,
  log: logOptions,
  server: serverOptions,
  distributor: distributorOptions,
  ingester: ingesterOptions,
  ingesterClient: ingesterClientOptions,
  tsdb: tsdbOptions,
  querier: querierOptions,
  queryFrontend: queryFrontendOptions,
  ring: ringOptions,
  distributorRing: distributorRingOptions,
  storeGatewayRing: storeGatewayRingOptions,
  compactorRing: compactorRingOptions,
  querierRing: querierRingOptions,
  memberlist: memberlistOptions,
  storage: storageOptions,
  runtimeConfig: runtimeConfigOptions,
  limits: limitsOptions,
};

type Values<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends Option<infer Value>
    ? Value
    : Values<Table[Key]>;
};

/** What the program runs with: frozen, one part for each component, times in milliseconds and sizes in bytes. */
export type Config = Values<typeof schema>;

/** An option and the keys that lead to its value in a `Config`. */
export interface PlacedOption {
  readonly option: Option;
  readonly place: readonly string[];
}

export const placedOptions: readonly PlacedOption[] = collect(schema, []);

function collect(table: object, place: readonly string[]): PlacedOption[] {
  return Object.entries(table).flatMap(([key, entry]: [string, object]) =>
    "kind" in entry
      ? [{ option: entry as Option, place: [...place, key] }]
      : collect(entry, [...place, key]),
  );
}
