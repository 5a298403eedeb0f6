/**
 * Sockets, injected. Hosts are IP literals, except where a name is said to be fine. Bytes given to a handler or
 * returned by `read` belong to the receiver; bytes given to `send` and `write` may be reused once the call (or its
 * promise) is done.
 *
 * Implementations: sys/node-network.ts, test/testkit/sim-network.ts (loses, delays, partitions, by seed).
 */
export interface Network {
  /** Port 0: any free one, told by `address`. */
  bindDatagrams(at: NetworkAddress, onDatagram: DatagramHandler): Promise<DatagramSocket>;
  /** The handler owns each stream and must close it. */
  listen(at: NetworkAddress, onStream: (stream: Stream) => void): Promise<StreamListener>;
  dial(to: NetworkAddress, timeoutMs: number): Promise<Stream>;
  /** IP literals of a name; an IP literal gives itself. Rejects if there are none. */
  lookup(name: string): Promise<string[]>;
  /** SRV records. Rejects if there are none. */
  lookupService(name: string): Promise<NetworkAddress[]>;
  /** An address of this machine that others can reach: the first one that is neither loopback nor link-local. */
  reachableHost(): string | undefined;
}

export interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

export type DatagramHandler = (bytes: Uint8Array, from: NetworkAddress) => void;

/** Best effort, as UDP is. */
export interface DatagramSocket {
  readonly address: NetworkAddress;
  /** Resolves to false if the datagram was refused here; true says nothing about its arrival. */
  send(bytes: Uint8Array, to: NetworkAddress): Promise<boolean>;
  close(): Promise<void>;
}

export interface StreamListener {
  readonly address: NetworkAddress;
  /** Accepts no more; streams that were handed out live on. */
  close(): Promise<void>;
}

export interface Stream {
  readonly remote: NetworkAddress;
  /** The next bytes, or undefined at the end of what the other side wrote. One call at a time. */
  read(): Promise<Uint8Array | undefined>;
  write(bytes: Uint8Array): Promise<void>;
  /** Sends what was written, then ends both directions; a pending `read` gets undefined or rejects. */
  close(): void;
}

/** "host:port", with IPv6 hosts in brackets. */
export function addressText({ host, port }: NetworkAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
