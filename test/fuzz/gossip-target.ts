/**
 * Throws packets, and every sixteenth time a stream, at running gossip nodes with a key-value store on them:
 *
 *     a node with a key: nothing but noise, strangers, damage. It stays exactly as it is
 *     a node without: real messages too. What is well-formed is taken; whatever comes, nothing is thrown, the node itself
 *     stays alive, its limits hold, and half a minute later its timers have run through
 *
 * The network hands bytes over at once and swallows what the nodes say. Time stands still within a batch.
 */
import assert from "node:assert/strict";
import { Registry } from "prom-client";
import type { Logger } from "../../src/base/logger.ts";
import type { DatagramHandler, Network, NetworkAddress, Stream } from "../../src/base/network.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { Keyring } from "../../src/gossip/codec/keyring.ts";
import { encodeMessage } from "../../src/gossip/codec/messages.ts";
import { encodePacket } from "../../src/gossip/codec/packet.ts";
import { ProtocolError } from "../../src/gossip/codec/protocol-error.ts";
import { Security } from "../../src/gossip/codec/security.ts";
import { Gossip } from "../../src/gossip/gossip.ts";
import { KvStore } from "../../src/gossip/kv/kv-store.ts";
import { newKvMetrics } from "../../src/gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../../src/gossip/kv/options.ts";
import { newGossipMetrics } from "../../src/gossip/metrics.ts";
import { GOSSIP_DEFAULTS } from "../../src/gossip/options.ts";
import { LAST_WRITE_MAP } from "../gossip/kv/last-write-map.ts";
import { TestClock } from "../testkit/test-clock.ts";
import { GossipGenerator, KEY, LABEL } from "./gossip-generate.ts";
import { type FuzzTarget, type FuzzVerdict, RUNS_PER_BATCH } from "./target.ts";

const FROM: NetworkAddress = { host: "10.0.0.99", port: 7946 };
const MEMBERS_MAX = 50;
const KEYS_MAX = 20;
const STREAM_EVERY = 16;

/** Nodes live for a batch. */
export class GossipTarget implements FuzzTarget {
  readonly #seed: number;
  #keyed: Victim | undefined;
  #plain: Victim | undefined;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Throws on a finding. */
  async run(index: number): Promise<FuzzVerdict> {
    if (index % RUNS_PER_BATCH === 0) await this.#beginBatch(index);
    const [keyed, plain] = [this.#keyed, this.#plain];
    assert.ok(keyed !== undefined && plain !== undefined);
    const generator = new GossipGenerator(new SeededRandom(this.#seed * 1_000_003 + index));
    const kind = index % STREAM_EVERY === 0 ? "stream" : "packet";
    const isKeyed = generator.below(2) === 0;
    const { bytes, wellFormed } = isKeyed ? generator.hostile(kind) : generator.plain(kind);
    const victim = isKeyed ? keyed : plain;
    try {
      const verdict = kind === "packet" ? victim.packet(bytes) : await victim.stream(bytes);
      victim.check();
      assert.ok(!wellFormed || verdict === "accepted", "something well-formed was refused");
      return verdict;
    } catch (error) {
      const text = Buffer.from(bytes).toString("base64");
      throw new Error(`a ${kind} (base64): ${text}`, { cause: error });
    }
  }

  async #beginBatch(index: number): Promise<void> {
    await this.#plain?.finish();
    await this.#keyed?.finish();
    this.#keyed = await Victim.start(this.#seed + index, true);
    this.#plain = await Victim.start(this.#seed + index, false);
  }
}

class Victim {
  readonly #clock = new TestClock();
  readonly #port = new Port();
  readonly #isKeyed: boolean;
  readonly #gossip: Gossip;
  readonly #kv: KvStore;
  #refusals = 0;
  #bug: unknown;
  #before = "";

  private constructor(seed: number, isKeyed: boolean) {
    this.#isKeyed = isKeyed;
    this.#kv = new KvStore(
      { ...KV_DEFAULTS, keysMax: KEYS_MAX },
      {
        clock: this.#clock,
        metrics: newKvMetrics(new Registry(), () => this.#kv.metricsState),
        types: [LAST_WRITE_MAP],
      },
    );
    this.#gossip = new Gossip(
      {
        ...GOSSIP_DEFAULTS,
        nodeName: "victim",
        clusterLabel: LABEL,
        bind: { host: "10.0.0.1", port: 7946 },
        keyring: isKeyed ? new Keyring(KEY) : undefined,
        membership: { ...GOSSIP_DEFAULTS.membership, membersMax: MEMBERS_MAX },
      },
      {
        clock: this.#clock,
        random: new SeededRandom(seed),
        network: this.#port,
        logger: this.#logger(),
        metrics: newGossipMetrics(new Registry(), () => this.#gossip),
        user: this.#kv,
      },
    );
  }

  /** With two friends, and something to hold. */
  static async start(seed: number, isKeyed: boolean): Promise<Victim> {
    const victim = new Victim(seed, isKeyed);
    await victim.#gossip.start();
    const security = new Security(
      {
        label: LABEL,
        acceptUnlabelled: false,
        verifyIncoming: true,
        verifyOutgoing: true,
        encryptionVersion: 1,
        ...(isKeyed ? { keyring: new Keyring(KEY) } : {}),
      },
      new SeededRandom(seed),
    );
    for (const number of [1, 2]) {
      const alive = encodeMessage({
        type: "alive",
        incarnation: 1,
        node: `friend-${number}`,
        host: `10.0.0.${1 + number}`,
        port: 7946,
        meta: new Uint8Array(),
        versions: Uint8Array.of(1, 5, 2, 0, 0, 0),
      });
      victim.packet(encodePacket(alive, { withCrc: true, compress: false }, security));
    }
    victim.#kv.update("ring", LAST_WRITE_MAP, () => new Map([["victim", { atMs: 5, text: "x" }]]));
    assert.equal(victim.#gossip.liveCount, 3);
    victim.#before = victim.#state();
    return victim;
  }

  /** Errors that are no ProtocolError end in the log, or are thrown: both are found. */
  #logger(): Logger {
    const notice = (fields: unknown, message: unknown): void => {
      if (String(message).endsWith("was refused")) this.#refusals++;
      const { err } = fields as { err?: unknown };
      if (err instanceof Error && !(err instanceof ProtocolError)) this.#bug ??= err;
    };
    const logger: Logger = {
      debug: notice,
      info: notice,
      warn: notice,
      error: notice,
      child: () => logger,
    };
    return logger;
  }

  packet(bytes: Uint8Array): FuzzVerdict {
    const before = this.#refusals;
    this.#port.onDatagram(bytes, FROM);
    return this.#refusals === before ? "accepted" : "refused";
  }

  async stream(bytes: Uint8Array): Promise<FuzzVerdict> {
    const before = this.#refusals;
    await new Promise<void>((resolve) => this.#port.onStream(oneWayStream(bytes, resolve)));
    return this.#refusals === before ? "accepted" : "refused";
  }

  check(): void {
    assert.equal(this.#bug, undefined);
    if (this.#isKeyed) {
      assert.equal(this.#state(), this.#before);
      return;
    }
    const { members } = this.#gossip;
    const self = members.find(({ name }) => name === "victim");
    assert.equal(self?.status, "alive");
    assert.equal(self?.host, "10.0.0.1");
    assert.ok(members.length <= MEMBERS_MAX && this.#kv.keys().length <= KEYS_MAX);
  }

  #state(): string {
    const members = this.#gossip.members.map(
      ({ name, host, port, status, incarnation, meta }) =>
        `${name} ${host} ${port} ${status} ${incarnation} ${meta.length}`,
    );
    const keys = this.#kv.keyStatuses.map(
      ({ key, version, digest }) => `${key} ${version} ${digest}`,
    );
    return [...members, ...keys, this.#gossip.healthScore].join("\n");
  }

  /** Lets all that was set off run out. */
  async finish(): Promise<void> {
    if (this.#isKeyed) this.check();
    else {
      await this.#clock.advance(30_000);
      this.check();
    }
    await this.#gossip.stop();
  }
}

/** Says nothing to anybody; the fuzzer calls the handlers. */
class Port implements Network {
  onDatagram: DatagramHandler = () => {};
  onStream: (stream: Stream) => void = () => {};

  bindDatagrams(address: NetworkAddress, onDatagram: DatagramHandler) {
    this.onDatagram = onDatagram;
    return Promise.resolve({ address, send: () => Promise.resolve(true), close });
  }

  listen(address: NetworkAddress, onStream: (stream: Stream) => void) {
    this.onStream = onStream;
    return Promise.resolve({ address, close });
  }

  dial(): Promise<Stream> {
    return Promise.resolve(oneWayStream(new Uint8Array(), () => {}));
  }

  lookup(name: string): Promise<string[]> {
    return Promise.resolve([name]);
  }

  lookupService(): Promise<NetworkAddress[]> {
    return Promise.resolve([]);
  }

  reachableHost(): string {
    return "10.0.0.1";
  }
}

function close(): Promise<void> {
  return Promise.resolve();
}

/** Says these bytes in two pieces, then nothing. */
function oneWayStream(bytes: Uint8Array, onClose: () => void): Stream {
  const middle = bytes.length >> 1;
  const pieces = [bytes.subarray(0, middle), bytes.subarray(middle)];
  return {
    remote: FROM,
    read: () => Promise.resolve(pieces.shift()),
    write: () => Promise.resolve(),
    close: onClose,
  };
}
