export interface KvOptions {
  /** Each change goes out `multiplier × ceil(log10(members + 1))` times. */
  readonly retransmitMultiplier: number;
  /** Changes that wait to be gossiped; the most sent one goes first when there are more. */
  readonly broadcastsMax: number;
  /** Changes are cut into pieces of this size, so that they fit a packet. What cannot be cut goes over TCP. */
  readonly pieceBytesMax: number;
  /** Values that are too large for packets go together, up to this size. */
  readonly bundleBytesMax: number;
  /** Keys that others may make us hold; more are dropped. */
  readonly keysMax: number;
  /** Tombstones older than this go. Longer keeps what was removed away even after a longer partition. */
  readonly tombstoneAgeMs: number;
  /** For the message history; 0 turns it off. */
  readonly historyBytesMax: number;
}

export const KV_DEFAULTS: KvOptions = {
  retransmitMultiplier: 4,
  broadcastsMax: 16_384,
  pieceBytesMax: 1100,
  bundleBytesMax: 256 << 10,
  keysMax: 100_000,
  tombstoneAgeMs: 24 * 3_600_000,
  historyBytesMax: 128 << 10,
};
