/**
 * The rings: who is in them, under which name, and when an instance counts as gone. Every ring is kept in the same store and
 * has an entry of its own for each instance.
 */
import {
  bool,
  choice,
  duration,
  type Feature,
  int,
  list,
  type Option,
  path,
  text,
} from "../option.ts";
import { address, port } from "./server.ts";

/** As long as the ring's codec and the paths of its pages can take. */
const name = {
  matches: /^[^\s\p{C}]{0,255}$/u,
  say: "has spaces or more than 255 characters",
};

export const ringOptions = {
  store: choice(["memberlist", "inmemory"], {
    yaml: "ingester.ring.kvstore.store",
    flag: "ingester.ring.store",
    default: "memberlist",
    scope: "cluster",
    aliases: [
      "ingester.lifecycler.ring.kvstore.store",
      "distributor.ring.kvstore.store",
      "store_gateway.sharding_ring.kvstore.store",
      "compactor.sharding_ring.kvstore.store",
      "querier.ring.kvstore.store",
    ],
    doc: "Where all rings are kept: `memberlist` spreads them by gossip, `inmemory` is for one process.",
  }),
  replicationFactor: int({
    yaml: "ingester.ring.replication_factor",
    default: 3,
    min: 1,
    max: 15,
    scope: "cluster",
    basic: true,
    aliases: ["ingester.lifecycler.ring.replication_factor"],
    doc: "Number of ingesters that hold each series. A push is acknowledged when more than half of them have it: with 3, one may be missing.",
  }),
  instanceId: text({
    yaml: "ingester.ring.instance_id",
    default: "",
    ...name,
    basic: true,
    doc: "Name of this instance in the ring, the same after each restart and unique in the cluster. Empty: `memberlist.node_name`, or the host name.",
  }),
  instanceAddr: text({
    yaml: "ingester.ring.instance_addr",
    default: "",
    ...address,
    doc: "Host at which the others reach this instance. Empty: the first address of this machine that others can reach.",
  }),
  instancePort: int({
    yaml: "ingester.ring.instance_port",
    default: 0,
    ...port,
    doc: "Port at which the others reach this instance. 0: `server.rpc_listen_port`.",
  }),
  instanceAvailabilityZone: text({
    yaml: "ingester.ring.instance_availability_zone",
    default: "",
    ...name,
    basic: true,
    doc: "Zone of this instance: what can fail as a whole, such as a rack or an availability zone of the cloud.",
  }),
  zoneAwarenessEnabled: bool({
    yaml: "ingester.ring.zone_awareness_enabled",
    default: false,
    scope: "cluster",
    doc: "Put the replicas of a series into different zones, so that a whole zone may go. Every ingester then needs a zone.",
  }),
  excludedZones: list({
    yaml: "ingester.ring.excluded_zones",
    default: [],
    scope: "cluster",
    doc: "Zones whose instances are treated as if they were not in the ring.",
  }),
  ...heartbeatOptions("ingester.ring", "ingester.ring"),
  numTokens: int({
    yaml: "ingester.ring.num_tokens",
    default: 512,
    min: 1,
    max: 4096,
    doc: "Tokens of this instance. They are placed so that all instances own the same share; with more of them the shares are more even, and the ring is larger.",
  }),
  tokensFilePath: path({
    yaml: "ingester.ring.tokens_file_path",
    default: "",
    underDataDir: "tokens",
    doc: "File in which this instance keeps its tokens, so that it takes them back after a restart even if the ring has forgotten it.",
  }),
  unregisterOnShutdown: bool({
    yaml: "ingester.ring.unregister_on_shutdown",
    default: false,
    doc: "Leave the ring when this instance stops. Mimir's default is true; here an instance stays as LEAVING, its writes go to the next one, and it takes its tokens back when it returns: a restart moves nothing, and what is on its disk stays findable. Turn it on (or call `/ingester/prepare-shutdown`) for an instance that will not come back.",
  }),
  autoForgetUnhealthyPeriods: int({
    yaml: "ingester.ring.auto_forget_unhealthy_periods",
    default: 10,
    scope: "cluster",
    doc: "An ingester that is silent for so many heartbeat timeouts is forgotten, if no part of the ring falls below quorum by that. 0 is never.",
  }),
  observePeriodMs: duration({
    yaml: "ingester.ring.observe_period",
    default: "3s",
    doc: "How long a new instance watches the ring after it has chosen its tokens, to see others that join at the same time. Longer than a change takes to be known everywhere.",
  }),
  minReadyDurationMs: duration({
    yaml: "ingester.ring.min_ready_duration",
    default: "0s",
    doc: "Least time between becoming ACTIVE and being ready. (Mimir's default is 15s; here writes spill over while others learn of the change.)",
  }),
  finalSleepMs: duration({
    yaml: "ingester.ring.final_sleep",
    default: "0s",
    doc: "How long the process lives on after it has left, for a last scrape of its metrics.",
  }),
  waitStabilityMaxDurationMs: duration({
    yaml: "ingester.ring.wait_stability_max_duration",
    default: "1m",
    doc: "A new instance goes on watching the ring, one observe period after another, as long as others that join change which tokens are best for it, but not longer than this.",
  }),
};

export const distributorRingOptions = {
  instanceId: instanceId("distributor.ring", "distributor.ring"),
  instanceAddr: instanceAddr("distributor.ring", "distributor.ring"),
  ...heartbeatOptions("distributor.ring", "distributor.ring"),
};

const storeGateway = "store_gateway.sharding_ring";
const storeGatewayFlag = "store-gateway.sharding-ring";

export const storeGatewayRingOptions = waiting("object storage", {
  replicationFactor: int({
    yaml: `${storeGateway}.replication_factor`,
    flag: `${storeGatewayFlag}.replication-factor`,
    default: 3,
    min: 1,
    max: 15,
    scope: "cluster",
    doc: "Number of store-gateways that serve each block.",
  }),
  instanceId: instanceId(storeGateway, storeGatewayFlag),
  instanceAddr: instanceAddr(storeGateway, storeGatewayFlag),
  instanceAvailabilityZone: text({
    yaml: `${storeGateway}.instance_availability_zone`,
    flag: `${storeGatewayFlag}.instance-availability-zone`,
    default: "",
    ...name,
    doc: "Zone of this store-gateway.",
  }),
  zoneAwarenessEnabled: bool({
    yaml: `${storeGateway}.zone_awareness_enabled`,
    flag: `${storeGatewayFlag}.zone-awareness-enabled`,
    default: false,
    scope: "cluster",
    doc: "Serve a block from store-gateways of different zones.",
  }),
  ...heartbeatOptions(storeGateway, storeGatewayFlag),
  tokensFilePath: path({
    yaml: `${storeGateway}.tokens_file_path`,
    flag: `${storeGatewayFlag}.tokens-file-path`,
    default: "",
    underDataDir: "store-gateway-tokens",
    doc: "File in which this instance keeps its tokens.",
  }),
  ...stabilityOptions(storeGateway, storeGatewayFlag),
});

export const compactorRingOptions = waiting("compactor", {
  instanceId: instanceId("compactor.sharding_ring", "compactor.ring"),
  instanceAddr: instanceAddr("compactor.sharding_ring", "compactor.ring"),
  ...heartbeatOptions("compactor.sharding_ring", "compactor.ring"),
  ...stabilityOptions("compactor.sharding_ring", "compactor.ring"),
});

export const querierRingOptions = {
  instanceId: instanceId("querier.ring", "querier.ring"),
  instanceAddr: instanceAddr("querier.ring", "querier.ring"),
  ...heartbeatOptions("querier.ring", "querier.ring"),
};

function instanceId(yaml: string, flag: string): Option<string> {
  return text({
    yaml: `${yaml}.instance_id`,
    flag: `${flag}.instance-id`,
    default: "",
    ...name,
    doc: "Name of this instance in the ring, unique in the cluster. Empty: `memberlist.node_name`, or the host name.",
  });
}

function instanceAddr(yaml: string, flag: string): Option<string> {
  return text({
    yaml: `${yaml}.instance_addr`,
    flag: `${flag}.instance-addr`,
    default: "",
    ...address,
    doc: "Host at which the others reach this instance. Empty: the first address of this machine that others can reach.",
  });
}

function heartbeatOptions(yaml: string, flag: string) {
  return {
    heartbeatPeriodMs: duration({
      yaml: `${yaml}.heartbeat_period`,
      flag: `${flag}.heartbeat-period`,
      default: "5s",
      min: 100,
      doc: "How often this instance says in the ring that it is alive. (Mimir's default is 15s.)",
    }),
    heartbeatTimeoutMs: duration({
      yaml: `${yaml}.heartbeat_timeout`,
      flag: `${flag}.heartbeat-timeout`,
      default: "1m",
      min: 1000,
      scope: "cluster",
      doc: "An instance that is silent for so long is unhealthy: it gets no work until it is heard of again.",
    }),
  };
}

function stabilityOptions(yaml: string, flag: string) {
  return {
    waitStabilityMinDurationMs: duration({
      yaml: `${yaml}.wait_stability_min_duration`,
      flag: `${flag}.wait-stability-min-duration`,
      default: "0s",
      doc: "When starting: wait until the ring has not changed for so long. 0 does not wait.",
    }),
    waitStabilityMaxDurationMs: duration({
      yaml: `${yaml}.wait_stability_max_duration`,
      flag: `${flag}.wait-stability-max-duration`,
      default: "5m",
      doc: "When starting: go on after so long, even if the ring still changes.",
    }),
  };
}

/** The same options, which wait for a feature. */
function waiting<Table extends object>(waitsFor: Feature, table: Table): Table {
  const entries = Object.entries(table).map(([key, option]: [string, object]) => [
    key,
    { ...option, waitsFor },
  ]);
  return Object.fromEntries(entries) as Table;
}
