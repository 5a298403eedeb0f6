import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { lookup, resolveSrv } from "node:dns/promises";
import { once } from "node:events";
import { connect, createServer, isIPv6, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type {
  DatagramHandler,
  DatagramSocket,
  Network,
  NetworkAddress,
  Stream,
  StreamListener,
} from "../base/network.ts";

/** A burst of packets waits in the operating system while we do something else. */
const RECEIVE_BUFFER_BYTES = 2 << 20;

/** The machine's network: UDP and TCP. */
export class NodeNetwork implements Network {
  async bindDatagrams(at: NetworkAddress, onDatagram: DatagramHandler): Promise<DatagramSocket> {
    const socket = createSocket({ type: isIPv6(at.host) ? "udp6" : "udp4" });
    socket.on("message", (bytes, { address, port }) => onDatagram(bytes, { host: address, port }));
    socket.bind({ address: at.host, port: at.port, exclusive: true });
    await once(socket, "listening");
    // Errors of single packets (an unreachable port told by ICMP) are as good as a loss.
    socket.on("error", () => {});
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch {
      // Less than wanted is fine: the operating system has its own limit.
    }
    socket.unref();
    return new NodeDatagrams(socket);
  }

  async listen(at: NetworkAddress, onStream: (stream: Stream) => void): Promise<StreamListener> {
    const server = createServer({ noDelay: true }, (socket) => onStream(new NodeStream(socket)));
    server.listen({ host: at.host, port: at.port, exclusive: true });
    await once(server, "listening");
    // A connection that could not be accepted (no file descriptors left) is the other side's to retry.
    server.on("error", () => {});
    server.unref();
    return new NodeListener(server);
  }

  async dial(to: NetworkAddress, timeoutMs: number): Promise<Stream> {
    const socket = connect({ host: to.host, port: to.port, noDelay: true });
    try {
      await once(socket, "connect", { signal: AbortSignal.timeout(Math.max(1, timeoutMs)) });
    } catch (error) {
      socket.on("error", () => {});
      socket.destroy();
      throw error;
    }
    return new NodeStream(socket);
  }

  async lookup(name: string): Promise<string[]> {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  }

  async lookupService(name: string): Promise<NetworkAddress[]> {
    return (await resolveSrv(name)).map((found) => ({ host: found.name, port: found.port }));
  }

  reachableHost(): string | undefined {
    const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    const outward = all.filter(({ internal, address }) => !internal && !isLinkLocal(address));
    return (outward.find(({ family }) => family === "IPv4") ?? outward[0])?.address;
  }
}

function isLinkLocal(address: string): boolean {
  return address.startsWith("169.254.") || /^fe[89ab]/i.test(address);
}

class NodeDatagrams implements DatagramSocket {
  readonly address: NetworkAddress;
  readonly #socket: UdpSocket;
  #closed = false;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.address = { host: address, port };
  }

  send(bytes: Uint8Array, to: NetworkAddress): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      try {
        this.#socket.send(bytes, to.port, to.host, (error) => resolve(error === null));
      } catch {
        // A port or host that cannot be: nobody is there to get it.
        resolve(false);
      }
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }
}

class NodeListener implements StreamListener {
  readonly address: NetworkAddress;
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not a TCP address");
    this.address = { host: address.address, port: address.port };
  }

  close(): Promise<void> {
    // Not awaited until the last stream is closed: these belong to others.
    this.#server.close();
    return Promise.resolve();
  }
}

class NodeStream implements Stream {
  readonly remote: NetworkAddress;
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Uint8Array>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remote = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    // Errors reach the reader and the writer; with neither, nobody is interested.
    socket.on("error", () => {});
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  async read(): Promise<Uint8Array | undefined> {
    const next = await this.#chunks.next();
    return next.done === true ? undefined : next.value;
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): void {
    this.#socket.destroySoon();
  }
}
