/** `muninn tool ring list`: every instance in a row. `status`: whether the ring is well, in some lines. */
import { type CommandMachine, EXIT, type ExitCode } from "../../command.ts";
import { age, type Column, percent, some, tableLines } from "../table.ts";
import { quorumLines } from "./quorum-text.ts";
import type { RingArguments } from "./ring-arguments.ts";
import { readFirst } from "./ring-client.ts";
import type { RingInstance, RingPage } from "./ring-page.ts";

const COLUMNS: readonly Column[] = [
  { title: "INSTANCE" },
  { title: "STATE" },
  { title: "ZONE" },
  { title: "ADDRESS" },
  { title: "HEARTBEAT", align: "right" },
  { title: "TOKENS", align: "right" },
  { title: "OWNED", align: "right" },
  { title: "HELD", align: "right" },
];

export async function list(
  { clients, json }: RingArguments,
  { out }: CommandMachine,
): Promise<ExitCode> {
  const { page } = await readFirst(clients);
  if (json) out(JSON.stringify(page.instances.map(jsonOf), null, 2));
  else for (const line of tableLines(COLUMNS, page.instances.map(rowOf))) out(line);
  return EXIT.ok;
}

export async function status(
  { ring, clients, json }: RingArguments,
  { out }: CommandMachine,
): Promise<ExitCode> {
  const { client, page } = await readFirst(clients);
  if (json) {
    out(JSON.stringify({ ring, url: client.url, ...summaryOf(page) }, null, 2));
    return EXIT.ok;
  }
  out(`${ring} ring, as ${client.url} sees it`);
  for (const line of summaryLines(page)) out(`  ${line}`);
  return EXIT.ok;
}

function rowOf(instance: RingInstance): string[] {
  const { owned, held } = instance;
  return [
    instance.id,
    instance.readOnly ? `${instance.state}, read-only` : instance.state,
    instance.zone,
    instance.address,
    `${age(instance.heartbeatAgeMs)} ago`,
    String(instance.tokenCount),
    owned === undefined ? "" : percent(owned),
    held === undefined ? "" : percent(held),
  ];
}

function jsonOf(instance: RingInstance): Record<string, unknown> {
  return {
    id: instance.id,
    state: instance.state,
    alive: instance.isAlive,
    address: instance.address,
    zone: instance.zone,
    heartbeat: new Date(instance.heartbeatMs).toISOString(),
    heartbeat_age_ms: instance.heartbeatAgeMs,
    read_only: instance.readOnly,
    token_count: instance.tokenCount,
    owned: instance.owned,
    held: instance.held,
    serving: instance.serving,
    versions: instance.versions,
  };
}

function summaryOf(page: RingPage) {
  const quorum = page.quorum && {
    writes: { below_quorum: page.quorum.writes.share, because: page.quorum.writes.because },
    reads: { below_quorum: page.quorum.reads.share, because: page.quorum.reads.because },
  };
  return {
    instances: page.instances.length,
    states: Object.fromEntries(countBy(page.instances, ({ state }) => state)),
    zones: Object.fromEntries(countBy(page.instances, ({ zone }) => zone)),
    replication_factor: page.replicationFactor,
    zone_aware: page.zoneAware,
    unhealthy: page.instances.filter(({ isAlive }) => !isAlive).map(({ id }) => id),
    quorum,
  };
}

function summaryLines(page: RingPage): string[] {
  const { instances } = page;
  const states = [...countBy(instances, ({ state }) => state)].map(
    ([state, count]) => `${count} ${state}`,
  );
  const zones = [...countBy(instances, ({ zone }) => zone)].map(
    ([zone, count]) => `${zone === "" ? "(none)" : zone} ${count}`,
  );
  const lines = [`instances: ${instances.length} (${states.join(", ")})`];
  if (page.zoneAware) lines.push(`zones: ${zones.join(", ")}`);
  if (page.replicationFactor !== undefined) {
    lines.push(`replication factor: ${page.replicationFactor}`);
  }
  const silent = instances.filter(({ isAlive }) => !isAlive);
  if (silent.length > 0) lines.push(`unhealthy: ${some(silent.map(({ id }) => id))}`);
  if (page.quorum !== undefined) lines.push(...quorumLines(page.quorum));
  return lines;
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
