import type { NetworkAddress } from "../base/network.ts";
import type { Keyring } from "./codec/keyring.ts";
import { LAN_MEMBERSHIP, type MembershipOptions } from "./membership/options.ts";

export interface GossipOptions {
  /** Unique in the cluster. */
  readonly nodeName: string;
  /**
   * Two clusters that reach each other by accident (a reused address, a wrong seed) stay two. At most 255 bytes of
   * UTF-8. Empty only to live with nodes of a library that is older than labels: the program always has one.
   */
  readonly clusterLabel: string;
  /** While a running cluster gets its first label: also take what has none. */
  readonly acceptUnlabelled: boolean;
  /** Where to listen, UDP and TCP on one port; port 0: any. */
  readonly bind: NetworkAddress;
  /**
   * Where others reach us, if not at `bind`. Host "": the bound one, or a reachable one if all are bound. Port 0: the
   * bound one.
   */
  readonly advertise: NetworkAddress;
  /** Told to everybody; at most 512 bytes. */
  readonly meta: Uint8Array;
  /** None: nothing is encrypted. */
  readonly keyring: Keyring | undefined;
  /** False also takes what is not encrypted, while a running cluster gets its first key. */
  readonly verifyIncoming: boolean;
  /** False does not encrypt yet, for the same time. */
  readonly verifyOutgoing: boolean;
  /** LZW where it makes a packet smaller, and on streams. */
  readonly compress: boolean;
  /** For a dial, and for each side of an exchange. */
  readonly streamTimeoutMs: number;
  /** Streams accepted at a time; more are closed at once. */
  readonly streamsMax: number;
  readonly membership: MembershipOptions;
}

/** Everything that has a default; those of memberlist where it has the option. */
export const GOSSIP_DEFAULTS = {
  acceptUnlabelled: false,
  bind: { host: "0.0.0.0", port: 7946 },
  advertise: { host: "", port: 0 },
  meta: new Uint8Array(),
  keyring: undefined,
  verifyIncoming: true,
  verifyOutgoing: true,
  compress: true,
  streamTimeoutMs: 10_000,
  streamsMax: 128,
  membership: LAN_MEMBERSHIP,
} as const satisfies Partial<GossipOptions>;

export const META_BYTES_MAX = 512;
