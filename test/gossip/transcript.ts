import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NetworkAddress } from "../../src/base/network.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { Keyring } from "../../src/gossip/codec/keyring.ts";
import { Security } from "../../src/gossip/codec/security.ts";

export interface Utterance {
  readonly kind: "packet" | "stream";
  readonly from: string;
  readonly to: NetworkAddress;
  readonly bytes: Uint8Array;
}

export const OWN_TRANSCRIPTS = join(import.meta.dirname, "testdata");

export const TRANSCRIPTS = ["plain", "compressed", "labelled", "encrypted", "full", "failure"];

/** Writes of one stream that follow each other (the label, then the message) are one utterance. */
export function readTranscript(name: string, folder = OWN_TRANSCRIPTS): Utterance[] {
  const utterances: Utterance[] = [];
  let label: Uint8Array | undefined;
  for (const line of readFileSync(join(folder, `${name}.txt`), "utf8")
    .trim()
    .split("\n")) {
    const [kind = "", way = "", hex = ""] = line.split(" ");
    const [from = "", to = ""] = way.split(">");
    const [host = "", port = ""] = to.split(":");
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
    if (kind === "stream" && bytes[0] === 244 && bytes.length === 2 + (bytes[1] ?? 0)) {
      label = bytes;
      continue;
    }
    utterances.push({
      kind: kind as Utterance["kind"],
      from,
      to: { host, port: Number(port) },
      bytes: label === undefined ? bytes : Uint8Array.from([...label, ...bytes]),
    });
    label = undefined;
  }
  return utterances;
}

export function securityOf(name: string): Security {
  const isEncrypted = name === "encrypted" || name === "full";
  const key = Uint8Array.from({ length: 16 }, (_, index) => index);
  return new Security(
    {
      label: name === "labelled" || name === "full" ? "prod-metrics" : "",
      acceptUnlabelled: false,
      verifyIncoming: true,
      verifyOutgoing: true,
      encryptionVersion: 1,
      ...(isEncrypted ? { keyring: new Keyring(key) } : {}),
    },
    new SeededRandom(1),
  );
}

export function isCompressed(name: string): boolean {
  return name === "compressed" || name === "full";
}
