/**
 * Bytes from the network that are not the protocol: garbage, a wrong key, another cluster's label, a length beyond
 * its limit. Decoders throw nothing else. It never leaves this folder: the driver counts the packet and drops it.
 */
export class ProtocolError extends Error {
  override name = "ProtocolError";
  readonly reason: ProtocolFault;

  constructor(reason: ProtocolFault, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * "incomplete" is also what a stream decoder sees while the rest is still on its way. Values are labels of a metric.
 */
export type ProtocolFault =
  | "incomplete"
  | "malformed"
  | "too-large"
  | "wrong-label"
  | "wrong-key"
  | "wrong-checksum";
