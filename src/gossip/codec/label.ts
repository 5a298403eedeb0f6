/**
 * The cluster label before a packet or stream: 244, a length byte (1 to 255), the label. It keeps clusters apart that
 * reach each other by accident; it is no secret, but encryption authenticates it.
 */
import { ByteReader } from "./byte-reader.ts";
import { concatBytes, textBytes } from "./byte-writer.ts";
import { MESSAGE_TYPE } from "./messages.ts";
import { ProtocolError } from "./protocol-error.ts";

const LABEL_BYTES_MAX = 255;

/** Without a label (""), nothing. */
export function labelHeader(label: string): Uint8Array {
  if (label === "") return new Uint8Array();
  const bytes = textBytes(label);
  if (bytes.length > LABEL_BYTES_MAX) {
    throw new RangeError(`a cluster label has at most ${LABEL_BYTES_MAX} bytes`);
  }
  return concatBytes(Uint8Array.of(MESSAGE_TYPE.hasLabel, bytes.length), bytes);
}

/** Throws "incomplete" where more bytes are needed to tell. No bytes at all are "incomplete" too. */
export function splitLabel(bytes: Uint8Array): { label: string; rest: Uint8Array } {
  const reader = new ByteReader(bytes);
  if (reader.uint8() !== MESSAGE_TYPE.hasLabel) return { label: "", rest: bytes };
  const size = reader.uint8();
  if (size === 0) throw new ProtocolError("malformed", "an empty label");
  const label = reader.text(size);
  return { label, rest: reader.rest() };
}

export interface LabelRule {
  readonly label: string;
  /** While a cluster gets its first label: take what has none. What has another label is refused all the same. */
  readonly acceptUnlabelled: boolean;
}

export function checkLabel(found: string, { label, acceptUnlabelled }: LabelRule): void {
  if (found === label || (acceptUnlabelled && found === "")) return;
  throw new ProtocolError("wrong-label", `label ${JSON.stringify(found)} of another cluster`);
}
