/**
 * The JSON of a ring page, read with suspicion. Mimir's fields must be there, ours may be missing (Mimir's own pages can be
 * listed too): what follows from others is then made of them, what does not is undefined.
 */
import { z } from "zod";

const loss = z.object({
  ranges_below_quorum: z.number(),
  share: z.number(),
  because: z.array(z.string()),
});

const shard = z.object({
  id: z.string(),
  state: z.string(),
  address: z.string(),
  timestamp: z.string(),
  registered_timestamp: z.string().optional(),
  read_only: z.boolean().default(false),
  zone: z.string().default(""),
  tokens: z
    .array(z.number())
    .nullish()
    .transform((tokens) => tokens ?? []),
  owned: z.number().optional(),
  held: z.number().optional(),
  heartbeat_age_ms: z.number().nullish(),
  token_count: z.number().optional(),
  serving: z.boolean().optional(),
  versions: z.record(z.string(), z.string()).default({}),
});

const page = z.object({
  now: z.string(),
  shards: z
    .array(shard)
    .nullish()
    .transform((shards) => shards ?? []),
  replication_factor: z.number().optional(),
  zone_aware: z.boolean().default(false),
  quorum: z.object({ writes: loss, reads: loss }).optional(),
  impact: z.object({ writes: loss, reads: loss, reason_to_keep: z.string().nullish() }).nullish(),
});

export interface Loss {
  readonly rangesBelowQuorum: number;
  /** Part of the keys, 0 to 1. */
  readonly share: number;
  /** Ids of instances that are missing there. */
  readonly because: readonly string[];
}

export interface Quorum {
  readonly writes: Loss;
  readonly reads: Loss;
}

export interface Impact extends Quorum {
  /** Why it is better not to take the instance out. */
  readonly reasonToKeep: string | undefined;
}

export interface RingInstance {
  readonly id: string;
  readonly state: string;
  readonly isAlive: boolean;
  readonly address: string;
  readonly zone: string;
  readonly heartbeatMs: number;
  readonly heartbeatAgeMs: number;
  readonly readOnly: boolean;
  readonly tokenCount: number;
  /** Only if they were asked for. */
  readonly tokens: readonly number[];
  readonly owned: number | undefined;
  readonly held: number | undefined;
  readonly serving: boolean | undefined;
  readonly versions: Readonly<Record<string, string>>;
}

export interface RingPage {
  readonly nowMs: number;
  readonly replicationFactor: number | undefined;
  readonly zoneAware: boolean;
  /** In the order of their ids, numbers in them by their value. */
  readonly instances: readonly RingInstance[];
  readonly quorum: Quorum | undefined;
  /** Of the instance that was named with the question. */
  readonly impact: Impact | undefined;
}

/** Throws an Error that says what is wrong with the text. */
export function readRingPage(text: string): RingPage {
  const parsed = page.safeParse(parseJson(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`not the JSON of a ring page (${issue?.path.join(".")}: ${issue?.message})`);
  }
  const { data } = parsed;
  const nowMs = timeOf(data.now);
  return {
    nowMs,
    replicationFactor: data.replication_factor,
    zoneAware: data.zone_aware,
    instances: data.shards
      .map((entry) => instanceOf(entry, nowMs))
      .sort((left, right) => left.id.localeCompare(right.id, "en", { numeric: true })),
    quorum: data.quorum && quorumOf(data.quorum),
    impact: data.impact
      ? { ...quorumOf(data.impact), reasonToKeep: data.impact.reason_to_keep ?? undefined }
      : undefined,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("not JSON: is this the HTTP port of a member?");
  }
}

function instanceOf(entry: z.infer<typeof shard>, nowMs: number): RingInstance {
  const heartbeatMs = timeOf(entry.timestamp);
  return {
    id: entry.id,
    state: entry.state,
    isAlive: entry.state !== "UNHEALTHY" && entry.state !== "LEFT",
    address: entry.address,
    zone: entry.zone,
    heartbeatMs,
    heartbeatAgeMs: entry.heartbeat_age_ms ?? nowMs - heartbeatMs,
    readOnly: entry.read_only,
    tokenCount: entry.token_count ?? entry.tokens.length,
    tokens: entry.tokens,
    owned: entry.owned,
    held: entry.held,
    serving: entry.serving,
    versions: entry.versions,
  };
}

function quorumOf({ writes, reads }: Record<"writes" | "reads", z.infer<typeof loss>>): Quorum {
  return { writes: lossOf(writes), reads: lossOf(reads) };
}

function lossOf({ ranges_below_quorum, share, because }: z.infer<typeof loss>): Loss {
  return { rangesBelowQuorum: ranges_below_quorum, share, because };
}

function timeOf(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Error(`not the JSON of a ring page ("${text}" is not a time)`);
  return ms;
}
