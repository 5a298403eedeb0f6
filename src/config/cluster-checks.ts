/** What members of a cluster can get wrong together: ports, heartbeats, zones, TLS. For checks.ts. */
import type { Fault } from "./checks.ts";
import { formatDuration } from "./duration.ts";
import type { Config } from "./schema.ts";

type IsSet = (yaml: string) => boolean;

/**
 * One process that is everything and was told nothing about others needs no RPC and no gossip port. All else is a member
 * of a cluster: single targets, `join_members`, or any other key of gossip.
 */
export function isClusterMember({ target, ring }: Config, isSet: IsSet): boolean {
  if (ring.store === "inmemory") return false;
  return target.some((name) => name !== "all") || MEMBERSHIP_KEYS.some(isSet);
}

/** Setting one of these means to have a cluster; the other keys of gossip only say how. */
const MEMBERSHIP_KEYS = [
  "memberlist.join_members",
  "memberlist.bind_addr",
  "memberlist.bind_port",
  "memberlist.advertise_addr",
  "memberlist.advertise_port",
  "memberlist.node_name",
  "memberlist.cluster_label",
];

export function clusterFaults(config: Config, isSet: IsSet): Fault[] {
  return [
    ...portFaults(config, isSet),
    ...heartbeatsOf(config).flatMap(heartbeatFaults),
    ...zoneFaults(config),
    ...tlsFaults(config),
    ...joinFaults(config),
  ];
}

/** What works, and is hardly what was meant. */
export function clusterWarnings(config: Config, isSet: IsSet): Fault[] {
  return [
    ...factorWarnings(config, isSet),
    ...heartbeatsOf(config).flatMap(heartbeatWarnings),
    ...tlsWarnings(config),
  ];
}

/** A default that collides with a chosen port only matters if this process listens there. */
function portFaults(config: Config, isSet: IsSet): Fault[] {
  const isMember = isClusterMember(config, isSet);
  const ports = [
    { key: "server.http_listen_port", port: config.server.httpListenPort, opens: true },
    { key: "server.rpc_listen_port", port: config.server.rpcListenPort, opens: isMember },
    { key: "memberlist.bind_port", port: config.memberlist.bindPort, opens: isMember },
  ].filter(({ key, port, opens }) => port !== 0 && (opens || isSet(key)));
  return ports.flatMap(({ key, port }, index) => {
    const other = ports.slice(0, index).find((before) => before.port === port);
    if (other === undefined) return [];
    return [{ key, other: other.key, message: `port ${port} is ${other.key}'s too` }];
  });
}

interface Heartbeats {
  readonly yaml: string;
  readonly periodMs: number;
  readonly timeoutMs: number;
}

function heartbeatsOf(config: Config): Heartbeats[] {
  const rings = [
    ["ingester.ring", config.ring],
    ["distributor.ring", config.distributorRing],
    ["store_gateway.sharding_ring", config.storeGatewayRing],
    ["compactor.sharding_ring", config.compactorRing],
    ["querier.ring", config.querierRing],
  ] as const;
  return rings.map(([yaml, { heartbeatPeriodMs: periodMs, heartbeatTimeoutMs: timeoutMs }]) => ({
    yaml,
    periodMs,
    timeoutMs,
  }));
}

function heartbeatFaults({ yaml, periodMs, timeoutMs }: Heartbeats): Fault[] {
  if (periodMs < timeoutMs) return [];
  return [
    {
      key: `${yaml}.heartbeat_period`,
      other: `${yaml}.heartbeat_timeout`,
      message: `${formatDuration(periodMs)} must be less than ${yaml}.heartbeat_timeout (${formatDuration(timeoutMs)}), or every instance is unhealthy between two heartbeats`,
    },
  ];
}

/** The ring learns a clock that was set anew by three heartbeats (src/ring/heartbeat-watch.ts). */
const HEARTBEATS_IN_TIMEOUT_MIN = 3;

function heartbeatWarnings({ yaml, periodMs, timeoutMs }: Heartbeats): Fault[] {
  if (periodMs >= timeoutMs || periodMs * HEARTBEATS_IN_TIMEOUT_MIN < timeoutMs) return [];
  return [
    {
      key: `${yaml}.heartbeat_timeout`,
      other: `${yaml}.heartbeat_period`,
      message: `${formatDuration(timeoutMs)} is not more than three times ${yaml}.heartbeat_period (${formatDuration(periodMs)}): one lost message or a clock that is set anew makes an instance unhealthy`,
    },
  ];
}

function zoneFaults({ target, ring }: Config): Fault[] {
  const isIngester = target.includes("all") || target.includes("ingester");
  if (!ring.zoneAwarenessEnabled || ring.instanceAvailabilityZone !== "" || !isIngester) return [];
  return [
    {
      key: "ingester.ring.instance_availability_zone",
      other: "ingester.ring.zone_awareness_enabled",
      message:
        "must be set when zone_awareness_enabled is true: an ingester without a zone would share one with all others that have none",
    },
  ];
}

function tlsFaults({ server: { rpcTls }, ingesterClient: client }: Config): Fault[] {
  const server = "server.rpc_tls_config";
  return [
    ...pairFaults(`${server}.cert_file`, rpcTls.certFile, `${server}.key_file`, rpcTls.keyFile),
    ...(rpcTls.clientCaFile !== "" && rpcTls.certFile === ""
      ? [
          {
            key: `${server}.cert_file`,
            other: `${server}.client_ca_file`,
            message: "must be set when client_ca_file is: certificates of callers need TLS",
          },
        ]
      : []),
    ...pairFaults(
      "ingester_client.tls_cert_path",
      client.tlsCertFile,
      "ingester_client.tls_key_path",
      client.tlsKeyFile,
    ),
  ];
}

function pairFaults(certKey: string, cert: string, keyKey: string, key: string): Fault[] {
  if ((cert === "") === (key === "")) return [];
  const [missing, given] = cert === "" ? [certKey, keyKey] : [keyKey, certKey];
  return [
    {
      key: missing,
      other: given,
      message: `must be set when ${given} is: a certificate and its key belong together`,
    },
  ];
}

function tlsWarnings({ server, ingesterClient }: Config): Fault[] {
  const { tlsEnabled, tlsCaFile, tlsCertFile, tlsServerName } = ingesterClient;
  if (tlsEnabled) return [];
  const warnings: Fault[] = [];
  if (tlsCaFile !== "" || tlsCertFile !== "" || tlsServerName !== "") {
    warnings.push({
      key: "ingester_client.tls_enabled",
      message: "is false: the other ingester_client.tls_ keys have no effect",
    });
  }
  if (server.rpcTls.certFile !== "") {
    warnings.push({
      key: "ingester_client.tls_enabled",
      other: "server.rpc_tls_config.cert_file",
      message:
        "is false while server.rpc_tls_config asks callers for TLS: this member cannot call others that are configured like it",
    });
  }
  return warnings;
}

function factorWarnings({ ring }: Config, isSet: IsSet): Fault[] {
  const key = "ingester.ring.replication_factor";
  const factor = ring.replicationFactor;
  if (!isSet(key) || factor % 2 !== 0) return [];
  const quorum = factor / 2 + 1;
  return [
    {
      key,
      message: `with ${factor} each write needs ${quorum} of ${factor} ingesters, so ${factor - quorum} may be missing, as many as with ${factor - 1}: an odd number is better`,
    },
  ];
}

function joinFaults({ memberlist }: Config): Fault[] {
  const { minJoinBackoffMs, maxJoinBackoffMs } = memberlist;
  if (minJoinBackoffMs <= maxJoinBackoffMs) return [];
  return [
    {
      key: "memberlist.min_join_backoff",
      other: "memberlist.max_join_backoff",
      message: `${formatDuration(minJoinBackoffMs)} is more than memberlist.max_join_backoff (${formatDuration(maxJoinBackoffMs)})`,
    },
  ];
}
