import { Counter, Gauge, type Registry } from "prom-client";

/**
 * Metrics of membership and transport, under Mimir's names; there, packets go over TCP, here over UDP. What belongs to
 * the key-value store is in kv/metrics.ts.
 */
export interface GossipState {
  readonly liveCount: number;
  readonly healthScore: number;
}

export interface GossipMetrics {
  readonly packetsSent: Counter;
  readonly packetsSentBytes: Counter;
  readonly packetsSentErrors: Counter;
  readonly packetsReceived: Counter;
  readonly packetsReceivedBytes: Counter;
  readonly packetsReceivedErrors: Counter;
  /** By "packet" or "stream", and by why. */
  readonly rejected: Counter<"transport" | "reason">;
}

export function newGossipMetrics(registry: Registry, state: () => GossipState): GossipMetrics {
  const registers = [registry];
  new Gauge({
    name: "memberlist_client_cluster_members_count",
    help: "Members of the gossip cluster that are alive or suspected, this one included.",
    registers,
    collect() {
      this.set(state().liveCount);
    },
  });
  new Gauge({
    name: "memberlist_client_cluster_node_health_score",
    help: "How much this process doubts its own health; 0 is well, higher is worse.",
    registers,
    collect() {
      this.set(state().healthScore);
    },
  });
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
  return {
    packetsSent: counter("memberlist_tcp_transport_packets_sent_total", "Gossip packets sent."),
    packetsSentBytes: counter(
      "memberlist_tcp_transport_packets_sent_bytes_total",
      "Bytes of the gossip packets sent.",
    ),
    packetsSentErrors: counter(
      "memberlist_tcp_transport_packets_sent_errors_total",
      "Gossip packets that could not be sent.",
    ),
    packetsReceived: counter(
      "memberlist_tcp_transport_packets_received_total",
      "Gossip packets that came in.",
    ),
    packetsReceivedBytes: counter(
      "memberlist_tcp_transport_packets_received_bytes_total",
      "Bytes of the gossip packets that came in.",
    ),
    packetsReceivedErrors: counter(
      "memberlist_tcp_transport_packets_received_errors_total",
      "Gossip packets that were dropped, wholly or in part.",
    ),
    rejected: new Counter({
      name: "muninn_gossip_rejected_total",
      help: "Packets and streams at the gossip port that were refused, by reason: another cluster's label, a wrong key, damage, garbage.",
      labelNames: ["transport", "reason"],
      registers,
    }),
  };
}
