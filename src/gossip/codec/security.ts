import type { Random } from "../../base/random.ts";
import { textBytes } from "./byte-writer.ts";
import {
  decrypt,
  ENCRYPTION_OVERHEAD_BYTES,
  type EncryptionVersion,
  encrypt,
} from "./encryption.ts";
import type { Keyring } from "./keyring.ts";
import { checkLabel, labelHeader, splitLabel } from "./label.ts";

/** What a cluster agrees on before the first message. */
export interface SecurityOptions {
  readonly label: string;
  readonly acceptUnlabelled: boolean;
  /** None: nothing is encrypted. */
  readonly keyring?: Keyring;
  /** While a cluster gets its first key: false takes plain packets too. */
  readonly verifyIncoming: boolean;
  /** False sends plain packets though there is a key. */
  readonly verifyOutgoing: boolean;
  readonly encryptionVersion: EncryptionVersion;
}

/** Label and encryption, as packets and streams share them. */
export class Security {
  readonly header: Uint8Array;
  readonly #options: SecurityOptions;
  readonly #random: Random;

  constructor(options: SecurityOptions, random: Random) {
    this.header = labelHeader(options.label);
    this.#options = options;
    this.#random = random;
  }

  /** What label and encryption add to a packet, at most. */
  get overheadBytes(): number {
    return (
      this.header.length + (this.#options.keyring === undefined ? 0 : ENCRYPTION_OVERHEAD_BYTES)
    );
  }

  get encryptsOutgoing(): boolean {
    return this.#options.keyring !== undefined && this.#options.verifyOutgoing;
  }

  get encryptionVersion(): EncryptionVersion {
    return this.#options.encryptionVersion;
  }

  get hasKeys(): boolean {
    return this.#options.keyring !== undefined;
  }

  /** Whether plain bytes must be refused. */
  get requiresEncryption(): boolean {
    return this.#options.keyring !== undefined && this.#options.verifyIncoming;
  }

  /** Takes the label off; throws if it is another cluster's. `label` is what encryption authenticates. */
  splitLabel(bytes: Uint8Array): { label: Uint8Array; rest: Uint8Array } {
    const { label, rest } = splitLabel(bytes);
    checkLabel(label, this.#options);
    return { label: textBytes(label), rest };
  }

  get ownLabel(): Uint8Array {
    return textBytes(this.#options.label);
  }

  encrypt(plain: Uint8Array, authenticated: Uint8Array): Uint8Array {
    const { keyring, encryptionVersion: version } = this.#options;
    if (keyring === undefined) return plain;
    return encrypt(plain, { version, key: keyring.primary, authenticated, random: this.#random });
  }

  decrypt(bytes: Uint8Array, authenticated: Uint8Array): Uint8Array {
    const { keyring } = this.#options;
    return keyring === undefined ? bytes : decrypt(bytes, keyring, authenticated);
  }
}
