/** The network of one process: what comes in for a frozen one waits, for a dead one it is lost. */
import type {
  DatagramHandler,
  DatagramSocket,
  Network,
  NetworkAddress,
  Stream,
  StreamListener,
} from "../../src/base/network.ts";
import type { ProcessClock } from "./sim-clock.ts";

export class ProcessNetwork implements Network {
  readonly #host: Network;
  readonly #clock: ProcessClock;

  constructor(host: Network, clock: ProcessClock) {
    this.#host = host;
    this.#clock = clock;
  }

  bindDatagrams(at: NetworkAddress, onDatagram: DatagramHandler): Promise<DatagramSocket> {
    return this.#host.bindDatagrams(at, (bytes, from) =>
      this.#clock.run(() => onDatagram(bytes, from)),
    );
  }

  listen(at: NetworkAddress, onStream: (stream: Stream) => void): Promise<StreamListener> {
    return this.#host.listen(at, (stream) => this.#clock.run(() => onStream(stream)));
  }

  dial(to: NetworkAddress, timeoutMs: number): Promise<Stream> {
    return this.#host.dial(to, timeoutMs);
  }

  lookup(name: string): Promise<string[]> {
    return this.#host.lookup(name);
  }

  lookupService(name: string): Promise<NetworkAddress[]> {
    return this.#host.lookupService(name);
  }

  reachableHost(): string | undefined {
    return this.#host.reachableHost();
  }
}
