import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { HttpMetrics } from "../../../src/http/metrics.ts";
import { HttpIngesterClient } from "../../../src/rpc/http/http-ingester-client.ts";
import { ingesterRoutes } from "../../../src/rpc/http/ingester-routes.ts";
import {
  RPC_CLIENT_DEFAULTS,
  RPC_SERVER_DEFAULTS,
  type RpcClientOptions,
  type RpcServerOptions,
} from "../../../src/rpc/http/options.ts";
import type { Peer } from "../../../src/rpc/http/peer-error.ts";
import { RpcServer } from "../../../src/rpc/http/rpc-server.ts";
import type { IngesterClient } from "../../../src/rpc/ingester.ts";
import { IngesterCallMetrics } from "../../../src/rpc/metrics.ts";
import { MemoryLogger } from "../../http/http-fixture.ts";
import { TestClock } from "../../testkit/test-clock.ts";

/** PEM text of a file of test/testkit/tls. */
export function pem(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../testkit/tls", `${name}.pem`), "utf8");
}

/** A member that listens on 127.0.0.1, and clients to it. */
export class RpcFixture implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly logger = new MemoryLogger();
  readonly registry = new Registry();
  readonly server: RpcServer;
  readonly #clients: HttpIngesterClient[] = [];
  port = 0;

  private constructor(options: Partial<RpcServerOptions>) {
    this.server = new RpcServer(
      {
        ...RPC_SERVER_DEFAULTS,
        listenAddress: "127.0.0.1",
        listenPort: 0,
        clusterLabel: "blue",
        ...options,
      },
      {
        clock: this.clock,
        logger: this.logger,
        registry: this.registry,
        httpMetrics: new HttpMetrics(this.registry, { connections: () => 0, connectionsMax: 0 }),
      },
    );
  }

  static async open(
    ingester: IngesterClient,
    options: Partial<RpcServerOptions> = {},
  ): Promise<RpcFixture> {
    const fixture = new RpcFixture(options);
    fixture.server.register(ingesterRoutes(ingester));
    fixture.port = (await fixture.server.listen()).port;
    return fixture;
  }

  /** To this member, or to `peer`. */
  client(options: Partial<RpcClientOptions> = {}, peer?: Peer): HttpIngesterClient {
    const client = new HttpIngesterClient(
      peer ?? { instanceId: "ingester-1", address: `127.0.0.1:${this.port}` },
      { ...RPC_CLIENT_DEFAULTS, clusterLabel: "blue", ...options },
      { clock: this.clock, metrics: new IngesterCallMetrics(new Registry()) },
    );
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.server.shutdown();
  }
}
