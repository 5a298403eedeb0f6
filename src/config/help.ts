/** The texts of -help and -help-all. */
import { commandFlags } from "./flags.ts";
import { type Option, placeholderOf, shownDefault } from "./option.ts";
import { type PlacedOption, placedOptions } from "./schema.ts";

/** Titles of the parts of `Config`, in its order. */
export const sectionTitles: ReadonlyMap<string, string> = new Map([
  ["", "Process"],
  ["auth", "Tenants"],
  ["log", "Log"],
  ["server", "Server"],
  ["distributor", "Distributor"],
  ["ingester", "Ingester"],
  ["ingesterClient", "Calls to ingesters"],
  ["tsdb", "Head"],
  ["querier", "Querier"],
  ["queryFrontend", "Query frontend"],
  ["ring", "Ring of ingesters"],
  ["distributorRing", "Ring of distributors"],
  ["storeGatewayRing", "Ring of store-gateways"],
  ["compactorRing", "Ring of compactors"],
  ["querierRing", "Ring of queriers"],
  ["memberlist", "Gossip"],
  ["storage", "Bucket"],
  ["runtimeConfig", "Runtime configuration"],
  ["limits", "Limits, per tenant"],
]);

export function sectionOf({ place }: PlacedOption): string {
  return place.length === 1 ? "" : (place[0] as string);
}

export function helpText(all: boolean): string {
  const parts = [
    "Usage: muninn [flags]",
    "       muninn tool …          look at a running cluster and mend it",
    "       muninn dev-cluster …   a cluster of processes on this machine",
    "",
    "Command",
  ];
  for (const { name, value, doc } of commandFlags) parts.push(...flagLines(name, value, doc));
  for (const [section, title] of sectionTitles) {
    const options = placedOptions
      .filter((placed) => sectionOf(placed) === section)
      .map(({ option }) => option)
      .filter((option) => option.flag !== undefined && (all || option.basic));
    if (options.length === 0) continue;
    parts.push("", title);
    for (const option of options) {
      parts.push(...flagLines(option.flag as string, placeholderOf(option), textOf(option)));
    }
  }
  if (!all) parts.push("", "All flags: muninn -help-all. All keys: docs/configuration.md.");
  return `${parts.join("\n")}\n`;
}

function flagLines(name: string, value: string, doc: string): string[] {
  return [`  -${name}${value === "" ? "" : ` ${value}`}`, `        ${doc}`];
}

function textOf(option: Option): string {
  const shown = shownDefault(option);
  return shown === "" ? option.doc : `${option.doc} (default ${shown})`;
}
