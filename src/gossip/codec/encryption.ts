/**
 * AES-GCM around a packet, or around a message of a stream:
 *
 *   ┌─────────┬──────────┬────────────┬────────┐
 *   │ version │ nonce 12 │ ciphertext │ tag 16 │
 *   └─────────┴──────────┴────────────┴────────┘
 *
 * Version 0 (protocol version 1) pads the plaintext by PKCS #7 to 16 bytes, version 1 does not. The authenticated data
 * is the cluster label; in streams, the encrypt header stands before it (stream.ts).
 */
import { type CipherGCMTypes, createCipheriv, createDecipheriv } from "node:crypto";
import type { Random } from "../../base/random.ts";
import { concatBytes } from "./byte-writer.ts";
import type { Keyring } from "./keyring.ts";
import { ProtocolError } from "./protocol-error.ts";

export type EncryptionVersion = 0 | 1;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BLOCK_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES;

/** The most that encryption adds. */
export const ENCRYPTION_OVERHEAD_BYTES = HEADER_BYTES + BLOCK_BYTES + TAG_BYTES;

export function encryptedSizeBytes(version: EncryptionVersion, plainBytes: number): number {
  const padding = version === 0 ? BLOCK_BYTES - (plainBytes % BLOCK_BYTES) : 0;
  return HEADER_BYTES + plainBytes + padding + TAG_BYTES;
}

export interface EncryptionInput {
  readonly version: EncryptionVersion;
  readonly key: Uint8Array;
  readonly authenticated: Uint8Array;
  readonly random: Random;
}

export function encrypt(
  plain: Uint8Array,
  { version, key, authenticated, random }: EncryptionInput,
): Uint8Array {
  const nonce = newNonce(random);
  const cipher = createCipheriv(algorithm(key), key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(authenticated);
  const ciphertext = cipher.update(version === 0 ? padded(plain) : plain);
  cipher.final();
  return concatBytes(Uint8Array.of(version), nonce, ciphertext, cipher.getAuthTag());
}

function newNonce(random: Random): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  const view = new DataView(nonce.buffer);
  for (let at = 0; at < NONCE_BYTES; at += 4) view.setUint32(at, random.uint32());
  return nonce;
}

/** Tries every key of the ring. */
export function decrypt(
  bytes: Uint8Array,
  keyring: Keyring,
  authenticated: Uint8Array,
): Uint8Array {
  const version = bytes[0];
  if (version !== 0 && version !== 1) {
    throw new ProtocolError("wrong-key", `not encrypted, or by an unknown version (${version})`);
  }
  if (bytes.length < encryptedSizeBytes(version, 0)) {
    throw new ProtocolError("malformed", `${bytes.length} bytes are too few to be encrypted`);
  }
  for (const key of keyring.keys) {
    const plain = tryDecrypt(bytes, key, authenticated);
    if (plain !== undefined) return version === 0 ? unpadded(plain) : plain;
  }
  throw new ProtocolError("wrong-key", "none of the keys decrypts it");
}

function tryDecrypt(
  bytes: Uint8Array,
  key: Uint8Array,
  authenticated: Uint8Array,
): Uint8Array | undefined {
  const nonce = bytes.subarray(1, HEADER_BYTES);
  const decipher = createDecipheriv(algorithm(key), key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(authenticated);
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const plain = decipher.update(bytes.subarray(HEADER_BYTES, bytes.length - TAG_BYTES));
  try {
    decipher.final();
    return plain;
  } catch {
    // The tag does not fit: another key, another label, or damage. Node has no gentler way to say it.
    return undefined;
  }
}

function algorithm(key: Uint8Array): CipherGCMTypes {
  return `aes-${(8 * key.length) as 128 | 192 | 256}-gcm`;
}

function padded(plain: Uint8Array): Uint8Array {
  const more = BLOCK_BYTES - (plain.length % BLOCK_BYTES);
  return concatBytes(plain, new Uint8Array(more).fill(more));
}

function unpadded(plain: Uint8Array): Uint8Array {
  const more = plain.at(-1) ?? 0;
  if (more < 1 || more > BLOCK_BYTES || more > plain.length) {
    throw new ProtocolError("malformed", "wrong padding");
  }
  return plain.subarray(0, plain.length - more);
}
