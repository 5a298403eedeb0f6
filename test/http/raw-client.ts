import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A client that speaks bytes: what fetch and undici would hide (half requests, resets) is what these tests are about. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  /** Rejects with the socket's error; a reset is one. */
  readonly closed: Promise<unknown>;
  #text = "";
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = once(socket, "close");
    this.closed.catch(() => undefined);
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawClient(socket);
  }

  get text(): string {
    return this.#text;
  }

  async write(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** All that came, once it matches. Fails if the connection closes before. */
  async received(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#text)) {
      if (this.socket.closed) throw new Error(`closed after: ${this.#text}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.closed.catch(() => undefined);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
