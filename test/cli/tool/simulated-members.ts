/**
 * Members of a cluster that answer with ring pages: real rings (src/ring) behind a client that needs no network, in virtual
 * time. What is forgotten at one member is gone at the others after `gossipMs`.
 */

import { reasonToKeep } from "../../../src/ring/auto-forget.ts";
import { merge, type RingDescriptor, ringOf, tombstone } from "../../../src/ring/descriptor.ts";
import { type Impact, type Loss, whatIf } from "../../../src/ring/impact.ts";
import type { Instance } from "../../../src/ring/instance.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { ringStatus } from "../../../src/ring/status.ts";
import type { HttpAnswer, HttpClient, HttpRequest } from "../../../src/sys/http-client.ts";
import { NOW_MS } from "../../ring/fixture.ts";
import { TestClock } from "../../testkit/test-clock.ts";

export interface ClusterSettings {
  readonly instances: readonly Instance[];
  /** Hosts of the members' URLs: "http://a". */
  readonly hosts?: readonly string[];
  readonly gossipMs?: number;
  readonly zoneAware?: boolean;
}

export class SimulatedMembers implements HttpClient {
  readonly clock = new TestClock(NOW_MS);
  readonly requests: HttpRequest[] = [];
  /** Hosts that do not answer. */
  readonly down = new Set<string>();
  readonly #rings: ReadonlyMap<string, Ring>;
  readonly #gossipMs: number;

  constructor(settings: ClusterSettings) {
    const { instances, hosts = ["a"], gossipMs = 0, zoneAware = false } = settings;
    this.#gossipMs = gossipMs;
    const options = { replicationFactor: 3, zoneAware, heartbeatTimeoutMs: 60_000, shardsMax: 1 };
    this.#rings = new Map(
      hosts.map((host) => {
        const ring = new Ring(options);
        ring.update(ringOf(instances), NOW_MS);
        return [host, ring];
      }),
    );
  }

  /** Changes what one member knows. */
  tell(host: string, instances: readonly Instance[]): void {
    const ring = this.#ring(host);
    ring.update(merge(ring.descriptor, ringOf(instances)).result, this.clock.nowMs());
  }

  knows(host: string, id: string): boolean {
    const instance = this.#ring(host).descriptor.get(id);
    return instance !== undefined && instance.state !== "LEFT";
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    this.requests.push(request);
    const url = new URL(request.url);
    if (this.down.has(url.host)) throw new Error(`connect ECONNREFUSED ${url.host}`);
    const ring = this.#ring(url.host);
    if (request.method === "GET") {
      return { status: 200, body: JSON.stringify(this.#page(ring, url.searchParams)) };
    }
    return this.#forget(ring, request.form ?? {});
  }

  #ring(host: string): Ring {
    const ring = this.#rings.get(host);
    if (ring === undefined) throw new Error(`no member ${host}`);
    return ring;
  }

  #forget(ring: Ring, form: Readonly<Record<string, string>>): HttpAnswer {
    const id = form["forget"] ?? "";
    const member = ring
      .refresh(this.clock.nowMs())
      .members.find(({ instance }) => instance.id === id);
    if (member === undefined) return { status: 404, body: "no such instance" };
    if (member.isAlive && form["force"] !== "true") {
      return { status: 409, body: JSON.stringify({ error: `${id} is alive` }) };
    }
    const gone: RingDescriptor = new Map([[id, tombstone(member.instance, this.clock.nowMs())]]);
    const tell = (other: Ring): void => {
      other.update(merge(other.descriptor, gone).result, this.clock.nowMs());
    };
    tell(ring);
    for (const other of this.#rings.values()) {
      if (this.#gossipMs === 0) tell(other);
      else this.clock.after(this.#gossipMs, () => tell(other));
    }
    return { status: 200, body: JSON.stringify({ forgotten: id }) };
  }

  #page(ring: Ring, query: URLSearchParams): object {
    const nowMs = this.clock.nowMs();
    const status = ringStatus(ring, nowMs);
    return {
      now: rfc3339(nowMs),
      shards: status.instances.map((one) => ({
        id: one.id,
        state: one.state,
        address: one.address,
        timestamp: rfc3339(one.heartbeatMs),
        registered_timestamp: rfc3339(one.registeredAtMs),
        read_only: one.readOnly,
        read_only_updated_timestamp: "0001-01-01T00:00:00Z",
        zone: one.zone,
        tokens: query.has("tokens") ? [...(ring.descriptor.get(one.id)?.tokens ?? [])] : [],
        owned: one.owned,
        held: one.held,
        heartbeat_age_ms: one.heartbeatAgeMs,
        token_count: one.tokenCount,
        serving: one.serving,
        versions: one.versions,
      })),
      replication_factor: status.replicationFactor,
      zone_aware: status.zoneAware,
      zones: status.zones,
      quorum: impactJson(status.quorum),
      ...this.#impact(ring, query.get("without")),
    };
  }

  #impact(ring: Ring, id: string | null): object {
    const member = ring.view.members.find(({ instance }) => instance.id === id);
    if (member === undefined) return {};
    const reason = reasonToKeep(ring.view, member);
    return {
      impact: {
        ...impactJson(whatIf(ring.view, member.instance.id)),
        reason_to_keep: reason ?? null,
      },
    };
  }
}

function impactJson({ writes, reads }: Impact): object {
  return { writes: lossJson(writes), reads: lossJson(reads) };
}

function lossJson({ rangesBelowQuorum, share, because }: Loss): object {
  return { ranges_below_quorum: rangesBelowQuorum, share, because };
}

function rfc3339(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
