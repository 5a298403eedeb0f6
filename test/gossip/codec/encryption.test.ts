import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../../src/base/random.ts";
import {
  decrypt,
  type EncryptionVersion,
  encrypt,
  encryptedSizeBytes,
} from "../../../src/gossip/codec/encryption.ts";
import { Keyring } from "../../../src/gossip/codec/keyring.ts";
import { aesKey, bytes, damage, decodesOrRefuses, refusal } from "./arbitrary.ts";

const random = new SeededRandom(3);
const version = fc.constantFrom<EncryptionVersion>(0, 1);

type Cipher = "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm";

function cipherOf(key: Uint8Array): Cipher {
  return `aes-${8 * key.length}-gcm` as Cipher;
}

/** PKCS #7: at least one byte, each says how many there are. */
function padded(plain: Uint8Array): Uint8Array {
  const more = 16 - (plain.length % 16);
  return Uint8Array.from([...plain, ...new Array<number>(more).fill(more)]);
}

test("what we encrypt is version, nonce, AES-GCM and tag, as node:crypto reads it", () => {
  fc.assert(
    fc.property(bytes(100), version, aesKey, bytes(30), (plain, which, key, authenticated) => {
      const sealed = encrypt(plain, { version: which, key, authenticated, random });
      assert.equal(sealed.length, encryptedSizeBytes(which, plain.length));
      assert.equal(sealed[0], which);
      const decipher = createDecipheriv(cipherOf(key), key, sealed.subarray(1, 13));
      decipher.setAAD(authenticated);
      decipher.setAuthTag(sealed.subarray(-16));
      const opened = Buffer.concat([decipher.update(sealed.subarray(13, -16)), decipher.final()]);
      assert.deepEqual(Uint8Array.from(opened), which === 0 ? padded(plain) : plain);
    }),
  );
});

test("what node:crypto encrypts is read, with any key of the ring", () => {
  fc.assert(
    fc.property(
      bytes(100),
      version,
      fc.uniqueArray(aesKey, { minLength: 1, maxLength: 4, selector: String }),
      fc.nat({ max: 3 }),
      bytes(30),
      (plain, which, keys, chosen, authenticated) => {
        const [primary, ...others] = keys as [Uint8Array, ...Uint8Array[]];
        const key = keys[chosen % keys.length] ?? primary;
        const nonce = Uint8Array.from({ length: 12 }, () => random.uint32());
        const cipher = createCipheriv(cipherOf(key), key, nonce);
        cipher.setAAD(authenticated);
        const body = Buffer.concat([
          cipher.update(which === 0 ? padded(plain) : plain),
          cipher.final(),
        ]);
        const sealed = Uint8Array.from([which, ...nonce, ...body, ...cipher.getAuthTag()]);
        const opened = decrypt(sealed, new Keyring(primary, others), authenticated);
        assert.deepEqual(Uint8Array.from(opened), plain);
      },
    ),
  );
});

/** The protocol does not authenticate the version, the first byte: all else. */
test("one changed bit after the version, another label or another key: refused", () => {
  fc.assert(
    fc.property(bytes(40), version, aesKey, aesKey, fc.nat(), (plain, which, key, other, at) => {
      const authenticated = Buffer.from("label");
      const sealed = encrypt(plain, { version: which, key, authenticated, random });
      const ring = new Keyring(key);
      const changed = sealed.slice();
      const place = 1 + (at % (sealed.length - 1));
      changed[place] = (changed[place] ?? 0) ^ (1 << (at % 8));
      assert.notEqual(
        refusal(() => decrypt(changed, ring, authenticated)),
        "none",
      );
      assert.equal(
        refusal(() => decrypt(sealed, ring, Buffer.from("lapel"))),
        "wrong-key",
      );
      if (String(other) === String(key)) return;
      assert.equal(
        refusal(() => decrypt(sealed, new Keyring(other), authenticated)),
        "wrong-key",
      );
    }),
  );
});

test("damage and garbage are refused, padding that lies too", () => {
  const key = new Uint8Array(16).fill(1);
  const ring = new Keyring(key);
  const authenticated = new Uint8Array();
  fc.assert(
    fc.property(bytes(100), version, damage, (plain, which, spoil) => {
      const sealed = encrypt(plain, { version: which, key, authenticated, random });
      const found = decodesOrRefuses(() => decrypt(spoil(sealed), ring, authenticated));
      // The damage may have been none.
      if (found !== undefined) assert.deepEqual(Uint8Array.from(found), plain);
      decodesOrRefuses(() => decrypt(plain, ring, authenticated));
    }),
  );
  // A plaintext of version 1 under the number of version 0 has whatever padding its last byte says.
  for (const last of [0, 17, 255]) {
    const plain = new Uint8Array(16).fill(last);
    const sealed = encrypt(plain, { version: 1, key, authenticated, random });
    sealed[0] = 0;
    assert.equal(
      refusal(() => decrypt(sealed, ring, authenticated)),
      "malformed",
    );
  }
});

test("no nonce comes twice", () => {
  const key = new Uint8Array(32);
  const seen = new Set<string>();
  for (let count = 0; count < 2000; count++) {
    const sealed = encrypt(new Uint8Array(), { version: 1, key, authenticated: key, random });
    seen.add(Buffer.from(sealed.subarray(1, 13)).toString("hex"));
  }
  assert.equal(seen.size, 2000);
});
