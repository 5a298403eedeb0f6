/** Ring and gossip: what the members of a cluster have to agree on. */
import { choice, int, list } from "../option.ts";

export const ringOptions = {
  store: choice(["memberlist", "inmemory"], {
    yaml: "ingester.ring.kvstore.store",
    flag: "ingester.ring.store",
    default: "memberlist",
    scope: "cluster",
    waitsFor: "cluster",
    aliases: ["ingester.lifecycler.ring.kvstore.store"],
    doc: "Where the ring is kept: `memberlist` spreads it by gossip, `inmemory` is for one process.",
  }),
  replicationFactor: int({
    yaml: "ingester.ring.replication_factor",
    default: 3,
    min: 1,
    max: 15,
    scope: "cluster",
    waitsFor: "cluster",
    aliases: ["ingester.lifecycler.ring.replication_factor"],
    doc: "Number of ingesters that hold each series. One process alone holds each series once.",
  }),
};

export const memberlistOptions = {
  joinMembers: list({
    yaml: "memberlist.join_members",
    flag: "memberlist.join",
    default: [],
    waitsFor: "cluster",
    doc: "Members to ask for the others when starting: host or host:port.",
  }),
  bindPort: int({
    yaml: "memberlist.bind_port",
    default: 7946,
    max: 65_535,
    waitsFor: "cluster",
    doc: "Port for gossip.",
  }),
};
