/**
 * A network in one process, on a clock that a test owns: datagrams are lost, delayed, repeated and overtake each other;
 * streams keep their order and stall while the way is cut. All by one seed, so a failing run replays exactly.
 */
import type { Clock } from "../../src/base/clock.ts";
import {
  addressText,
  type DatagramHandler,
  type DatagramSocket,
  type Network,
  type NetworkAddress,
  type Stream,
  type StreamListener,
} from "../../src/base/network.ts";
import type { Random } from "../../src/base/random.ts";

export interface SimNetworkOptions {
  readonly lossRate: number;
  readonly duplicateRate: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

const PERFECT: SimNetworkOptions = {
  lossRate: 0,
  duplicateRate: 0,
  delayMsMin: 0.2,
  delayMsMax: 2,
};

/** How often a stalled stream tries again. */
const RETRY_MS = 200;
const FIRST_FREE_PORT = 40_000;

export class SimNetwork {
  options: SimNetworkOptions;
  /** What was handed to the network, whether it arrived or not. */
  readonly sent = { datagrams: 0, datagramBytes: 0, streams: 0, streamBytes: 0 };
  readonly clock: Clock;
  readonly random: Random;
  readonly #datagrams = new Map<string, DatagramHandler>();
  readonly #listeners = new Map<string, (stream: Stream) => void>();
  readonly #streams = new Set<SimStream>();
  readonly #cuts = new Set<string>();
  #nextPort = FIRST_FREE_PORT;

  constructor(
    options: Partial<SimNetworkOptions>,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
  ) {
    this.options = { ...PERFECT, ...options };
    this.clock = clock;
    this.random = random;
  }

  /** The network as the machine with this address sees it. */
  host(host: string): Network {
    return new SimHost(host, this);
  }

  /** Nothing gets from one host to another; the other way is open. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Hosts of different groups do not reach each other. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue;
        for (const from of group) for (const to of other) this.cut(from, to);
      }
    }
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** The process on this host is gone: its sockets are closed, its streams are reset. */
  crash(host: string): void {
    const isOf = (address: string): boolean => address.startsWith(`${host}:`);
    for (const address of [...this.#datagrams.keys()].filter(isOf)) this.#datagrams.delete(address);
    for (const address of [...this.#listeners.keys()].filter(isOf)) this.#listeners.delete(address);
    for (const stream of this.#streams) {
      if (stream.local.host === host || stream.remote.host === host) stream.reset();
    }
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  delayMs(): number {
    const { delayMsMin, delayMsMax } = this.options;
    return delayMsMin + this.random.float() * (delayMsMax - delayMsMin);
  }

  freePort(): number {
    return this.#nextPort++;
  }

  addDatagrams(at: NetworkAddress, handler: DatagramHandler): void {
    if (this.#datagrams.has(addressText(at))) throw inUse(at);
    this.#datagrams.set(addressText(at), handler);
  }

  removeDatagrams(at: NetworkAddress): void {
    this.#datagrams.delete(addressText(at));
  }

  addListener(at: NetworkAddress, onStream: (stream: Stream) => void): void {
    if (this.#listeners.has(addressText(at))) throw inUse(at);
    this.#listeners.set(addressText(at), onStream);
  }

  removeListener(at: NetworkAddress): void {
    this.#listeners.delete(addressText(at));
  }

  removeStream(stream: SimStream): void {
    this.#streams.delete(stream);
  }

  sendDatagram(bytes: Uint8Array, from: NetworkAddress, to: NetworkAddress): void {
    this.sent.datagrams++;
    this.sent.datagramBytes += bytes.length;
    const copy = bytes.slice();
    const copies = this.random.float() < this.options.duplicateRate ? 2 : 1;
    for (let index = 0; index < copies; index++) {
      if (this.isCut(from.host, to.host) || this.random.float() < this.options.lossRate) continue;
      this.clock.after(this.delayMs(), () => {
        if (this.isCut(from.host, to.host)) return;
        this.#datagrams.get(addressText(to))?.(copy, from);
      });
    }
  }

  dial(from: NetworkAddress, to: NetworkAddress, timeoutMs: number): Promise<Stream> {
    this.sent.streams++;
    return new Promise((resolve, reject) => {
      const deadline = this.clock.after(timeoutMs, () => {
        reject(Object.assign(new Error(`ETIMEDOUT ${addressText(to)}`), { code: "ETIMEDOUT" }));
      });
      if (this.isCut(from.host, to.host) || this.isCut(to.host, from.host)) return;
      this.clock.after(this.delayMs() + this.delayMs(), () => {
        deadline.cancel();
        const listener = this.#listeners.get(addressText(to));
        if (listener === undefined) {
          reject(Object.assign(new Error("ECONNREFUSED"), { code: "ECONNREFUSED" }));
          return;
        }
        const near = new SimStream(from, to, this);
        const far = new SimStream(to, from, this);
        near.peer = far;
        far.peer = near;
        this.#streams.add(near).add(far);
        listener(far);
        resolve(near);
      });
    });
  }
}

class SimHost implements Network {
  readonly #host: string;
  readonly #network: SimNetwork;

  constructor(host: string, network: SimNetwork) {
    this.#host = host;
    this.#network = network;
  }

  bindDatagrams(at: NetworkAddress, onDatagram: DatagramHandler): Promise<DatagramSocket> {
    const address = this.#own(at);
    this.#network.addDatagrams(address, onDatagram);
    return Promise.resolve({
      address,
      send: (bytes, to) => {
        this.#network.sendDatagram(bytes, address, to);
        return Promise.resolve(true);
      },
      close: () => Promise.resolve(this.#network.removeDatagrams(address)),
    });
  }

  listen(at: NetworkAddress, onStream: (stream: Stream) => void): Promise<StreamListener> {
    const address = this.#own(at);
    this.#network.addListener(address, onStream);
    return Promise.resolve({
      address,
      close: () => Promise.resolve(this.#network.removeListener(address)),
    });
  }

  dial(to: NetworkAddress, timeoutMs: number): Promise<Stream> {
    return this.#network.dial(this.#own({ host: this.#host, port: 0 }), to, timeoutMs);
  }

  lookup(name: string): Promise<string[]> {
    return Promise.resolve([name]);
  }

  lookupService(name: string): Promise<NetworkAddress[]> {
    return Promise.reject(new Error(`no service ${name}`));
  }

  reachableHost(): string {
    return this.#host;
  }

  #own({ port }: NetworkAddress): NetworkAddress {
    return { host: this.#host, port: port === 0 ? this.#network.freePort() : port };
  }
}

interface Reader {
  resolve(bytes: Uint8Array | undefined): void;
  reject(error: Error): void;
}

class SimStream implements Stream {
  readonly local: NetworkAddress;
  readonly remote: NetworkAddress;
  peer: SimStream | undefined;
  readonly #network: SimNetwork;
  #arrived: (Uint8Array | undefined)[] = [];
  #reader: Reader | undefined;
  #closed = false;
  #failure: Error | undefined;
  /** When the last piece under way arrives: a later one is not sooner. */
  #lastArrivalMs = 0;

  constructor(local: NetworkAddress, remote: NetworkAddress, network: SimNetwork) {
    this.local = local;
    this.remote = remote;
    this.#network = network;
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#arrived.length > 0) return Promise.resolve(this.#arrived.shift());
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#network.sent.streamBytes += bytes.length;
    this.#send(bytes.slice());
    return Promise.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#send(undefined);
    this.#reader?.resolve(undefined);
    this.#reader = undefined;
    this.#network.removeStream(this);
  }

  reset(): void {
    this.#failure = Object.assign(new Error("ECONNRESET"), { code: "ECONNRESET" });
    this.#reader?.reject(this.#failure);
    this.#reader = undefined;
    this.#network.removeStream(this);
  }

  /** undefined: the end. */
  #send(bytes: Uint8Array | undefined): void {
    const nowMs = this.#network.clock.monotonicMs();
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, nowMs + this.#network.delayMs());
    this.#deliverAfter(this.#lastArrivalMs - nowMs, bytes);
  }

  #deliverAfter(delayMs: number, bytes: Uint8Array | undefined): void {
    this.#network.clock.after(delayMs, () => {
      if (this.peer === undefined || this.peer.#closed || this.peer.#failure !== undefined) return;
      if (this.#network.isCut(this.local.host, this.remote.host)) {
        this.#lastArrivalMs += RETRY_MS;
        this.#deliverAfter(RETRY_MS, bytes);
      } else this.peer.#arrive(bytes);
    });
  }

  #arrive(bytes: Uint8Array | undefined): void {
    if (this.#reader === undefined) this.#arrived.push(bytes);
    else this.#reader.resolve(bytes);
    this.#reader = undefined;
  }
}

function inUse(at: NetworkAddress): Error {
  return Object.assign(new Error(`EADDRINUSE ${addressText(at)}`), { code: "EADDRINUSE" });
}
