/** Gossip: how the members of a cluster find each other and what they tell each other. */
import { bool, duration, int, list, secrets, size, text } from "../option.ts";
import { address, port } from "./server.ts";

const AES_KEY_BYTES: readonly number[] = [16, 24, 32];

export const memberlistOptions = {
  nodeName: text({
    yaml: "memberlist.node_name",
    flag: "memberlist.nodename",
    default: "",
    matches: /^[^\s\p{C}]{0,200}$/u,
    say: "has spaces or more than 200 characters",
    basic: true,
    doc: "Name of this node in the gossip, unique in the cluster. Empty: the host name.",
  }),
  randomizeNodeName: bool({
    yaml: "memberlist.randomize_node_name",
    default: true,
    doc: "Add a random end to the name, so that a node that returns at another address need not wait until the others believe that it was gone.",
  }),
  bindAddr: text({
    yaml: "memberlist.bind_addr",
    default: "0.0.0.0",
    ...address,
    acceptsListOfOne: true,
    basic: true,
    doc: "Address to listen on for gossip, UDP and TCP. `0.0.0.0` is all of them.",
  }),
  bindPort: int({
    yaml: "memberlist.bind_port",
    default: 7946,
    ...port,
    basic: true,
    doc: "Port for gossip, UDP and TCP. 0 lets the system choose one, which the log then tells.",
  }),
  advertiseAddr: text({
    yaml: "memberlist.advertise_addr",
    default: "",
    ...address,
    doc: "Address at which the others reach this node. Empty: the bound one, or the first of this machine that others can reach.",
  }),
  advertisePort: int({
    yaml: "memberlist.advertise_port",
    default: 0,
    ...port,
    doc: "Port at which the others reach this node. 0: the bound one.",
  }),
  joinMembers: list({
    yaml: "memberlist.join_members",
    flag: "memberlist.join",
    default: [],
    basic: true,
    doc: "Members to ask for the others: host, host:port, `dns+host:port` (all addresses of the name), `dnssrv+service` or `dnssrvnoa+service`. Some of them are enough. The flag may stand several times.",
  }),
  clusterLabel: text({
    yaml: "memberlist.cluster_label",
    default: "",
    matches: /^[^\s\p{C}]{0,63}$/u,
    say: "has spaces or more than 63 characters",
    scope: "cluster",
    basic: true,
    doc: "What does not carry this label is dropped, so that two clusters that reach each other by accident stay two. Empty: `muninn-` and a short hash of where the blocks are kept (backend, endpoint, bucket and prefix, or directory): members that share a bucket share the label.",
  }),
  clusterLabelVerificationDisabled: bool({
    yaml: "memberlist.cluster_label_verification_disabled",
    default: false,
    doc: "Also take what has no label: only while a running cluster gets its first one.",
  }),
  encryptionKeys: secrets({
    yaml: "memberlist.encryption_keys",
    default: [],
    scope: "cluster",
    check: aesKeyProblem,
    doc: "AES keys of 16, 24 or 32 bytes in base64. The first one encrypts the gossip, all of them decrypt it. To change a key, add the new one at the end everywhere, then put it first everywhere, then remove the old one. None: the gossip is not encrypted.",
  }),
  gossipIntervalMs: duration({
    yaml: "memberlist.gossip_interval",
    default: "200ms",
    min: 1,
    scope: "cluster",
    doc: "How often changes are told.",
  }),
  gossipNodes: int({
    yaml: "memberlist.gossip_nodes",
    default: 3,
    min: 1,
    scope: "cluster",
    doc: "Number of members to which changes are told each time.",
  }),
  pullPushIntervalMs: duration({
    yaml: "memberlist.pull_push_interval",
    flag: "memberlist.pullpush-interval",
    default: "30s",
    min: 1,
    scope: "cluster",
    doc: "How often everything is exchanged with one random member.",
  }),
  retransmitFactor: int({
    yaml: "memberlist.retransmit_factor",
    default: 4,
    min: 1,
    scope: "cluster",
    doc: "A change is told factor × log10(members + 1) times.",
  }),
  streamTimeoutMs: duration({
    yaml: "memberlist.stream_timeout",
    default: "10s",
    min: 1,
    doc: "How long a TCP connection may take to open, and each side of an exchange over it.",
  }),
  compressionEnabled: bool({
    yaml: "memberlist.compression_enabled",
    default: true,
    doc: "Compress what becomes smaller by it.",
  }),
  leaveTimeoutMs: duration({
    yaml: "memberlist.leave_timeout",
    default: "20s",
    doc: "How long a node that stops may take to say so.",
  }),
  abortIfClusterJoinFails: bool({
    yaml: "memberlist.abort_if_cluster_join_fails",
    flag: "memberlist.abort-if-join-fails",
    default: false,
    doc: "End the process if none of `join_members` can be reached when it starts. Else it goes on trying.",
  }),
  minJoinBackoffMs: duration({
    yaml: "memberlist.min_join_backoff",
    default: "1s",
    min: 1,
    doc: "Time between the first two attempts to join.",
  }),
  maxJoinBackoffMs: duration({
    yaml: "memberlist.max_join_backoff",
    default: "1m",
    min: 1,
    doc: "Longest time between two attempts to join.",
  }),
  rejoinIntervalMs: duration({
    yaml: "memberlist.rejoin_interval",
    default: "1m",
    doc: "How often those of `join_members` that are missing are asked again, so that a cluster that was cut in two becomes one. 0 is never. (Mimir's default is never.)",
  }),
  leftIngestersTimeoutMs: duration({
    yaml: "memberlist.left_ingesters_timeout",
    default: "24h",
    min: 1000,
    scope: "cluster",
    doc: "How long it is remembered that an instance left a ring or was forgotten. A member that was cut off for longer may bring the instance back, as unhealthy. (Mimir's default is 5m.)",
  }),
  messageHistoryBufferBytes: size({
    yaml: "memberlist.message_history_buffer_bytes",
    default: "128KiB",
    max: 1 << 30,
    doc: "Memory for the last messages, which `/memberlist` shows. 0 keeps none.",
  }),
};

function aesKeyProblem(text: string): string | undefined {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
  if (!isBase64) return "is not base64: make a key with `openssl rand -base64 32`";
  const { length } = Buffer.from(text, "base64");
  if (AES_KEY_BYTES.includes(length)) return undefined;
  return `has ${length} bytes, an AES key has 16, 24 or 32: make one with \`openssl rand -base64 32\``;
}
