/**
 * A scrape target whose metrics are chosen by the test: what other exporters do not show in a minute
 * (counter resets, histograms in motion, a series that goes away, a target that goes away).
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export class Target implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** `page(n)` is the answer to scrape number n, counted from 0. */
  static async start(page: (scrape: number) => string): Promise<Target> {
    let scrapes = 0;
    const server = createServer((_request, response) => {
      response.setHeader("content-type", "text/plain; version=0.0.4");
      response.end(page(scrapes++));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Target(server);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }
}
