/**
 * How this process talks to the other members: its own listener, and clients to the ingesters of the ring. A process that is
 * alone has neither.
 */

import { must } from "../base/assert.ts";
import type { NetworkAddress } from "../base/network.ts";
import type { HttpMetrics } from "../http/metrics.ts";
import { answersReads, type Member, takesWrites } from "../ring/ring-view.ts";
import type { RingWatch } from "../ring/ring-watch.ts";
import { CIRCUIT_BREAKER_DEFAULTS } from "../rpc/circuit-breaker.ts";
import { GUARD_DEFAULTS, type GuardOptions } from "../rpc/guard.ts";
import { IngesterPool } from "../rpc/http/ingester-pool.ts";
import { ingesterRoutes } from "../rpc/http/ingester-routes.ts";
import {
  RPC_CLIENT_DEFAULTS,
  RPC_SERVER_DEFAULTS,
  type RpcClientOptions,
  type RpcServerOptions,
} from "../rpc/http/options.ts";
import type { RpcRoute } from "../rpc/http/rpc-route.ts";
import { RpcServer } from "../rpc/http/rpc-server.ts";
import type { IngesterClient } from "../rpc/ingester.ts";
import type { Cluster } from "./cluster.ts";
import type { Context } from "./module.ts";
import { instanceId } from "./rings.ts";

export interface RpcDependencies {
  readonly cluster: Cluster;
  readonly ring: RingWatch;
  readonly httpMetrics: Pick<HttpMetrics, "forRoute">;
}

export class Rpc {
  readonly #context: Context;
  readonly #deps: RpcDependencies;
  readonly #routes: RpcRoute[] = [];
  #local: { readonly id: string; readonly ingester: IngesterClient } | undefined;
  #server: RpcServer | undefined;
  #pool: IngesterPool | undefined;
  #bound: NetworkAddress | undefined;

  constructor(context: Context, deps: RpcDependencies) {
    this.#context = context;
    this.#deps = deps;
  }

  /** Calls to this instance stay in the process. Before `start`. */
  serveIngester(ingester: IngesterClient): void {
    const { config, machine } = this.#context;
    this.#local = { id: instanceId("ingester", config, machine.hostName), ingester };
    this.#routes.push(...ingesterRoutes(ingester));
  }

  /** Where it listens; undefined in a process that is alone. */
  get address(): NetworkAddress | undefined {
    return this.#bound;
  }

  readonly ingesterFor = ({ instance }: Member): IngesterClient => {
    if (this.#local !== undefined && instance.id === this.#local.id) return this.#local.ingester;
    const pool = must(this.#pool, "ingesters are called once RPC has started");
    return pool.clientFor(instance.id, instance.address);
  };

  async start(): Promise<void> {
    const { cluster, ring, httpMetrics } = this.#deps;
    if (cluster.isAlone) return;
    const { machine, registry } = this.#context;
    const logger = machine.logger.child({ component: "rpc" });
    const common = { clock: machine.clock, logger, registry };
    this.#pool = new IngesterPool(await this.#clientOptions(), this.#guardOptions, common);
    ring.onChange(() => this.#closeUncalled());
    this.#server = new RpcServer(await this.#serverOptions(), { ...common, httpMetrics });
    this.#server.register(this.#routes);
    const { address, port } = await this.#server.listen();
    this.#bound = { host: address, port };
  }

  async stop(): Promise<void> {
    await this.#server?.shutdown();
    await this.#pool?.close();
  }

  /** One that comes back is met without prejudice: what its breaker has learned was about its last life. */
  #closeUncalled(): void {
    const called = this.#deps.ring.view.members.filter(
      (member) => takesWrites(member) || answersReads(member),
    );
    this.#pool?.retain(new Set(called.map(({ instance }) => instance.id)));
  }

  async #serverOptions(): Promise<RpcServerOptions> {
    const { server } = this.#context.config;
    const { certFile, keyFile, clientCaFile } = server.rpcTls;
    const [cert, key, clientCa] = await this.#pems([certFile, keyFile, clientCaFile]);
    return {
      ...RPC_SERVER_DEFAULTS,
      listenAddress: server.rpcListenAddress,
      listenPort: server.rpcListenPort,
      clusterLabel: this.#deps.cluster.label,
      secret: server.rpcSecret,
      bodySizeMaxBytes: server.rpcMaxRecvMsgSizeBytes,
      // One of the largest calls must fit.
      bodiesSizeMaxBytes: Math.max(
        RPC_SERVER_DEFAULTS.bodiesSizeMaxBytes,
        server.rpcMaxRecvMsgSizeBytes,
      ),
      shutdownTimeoutMs: server.gracefulShutdownTimeoutMs,
      ...(cert === undefined || key === undefined ? {} : { tls: { cert, key, clientCa } }),
    };
  }

  async #clientOptions(): Promise<RpcClientOptions> {
    const { server, ingesterClient, distributor, querier } = this.#context.config;
    const { tlsEnabled, tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName } = ingesterClient;
    const [ca, cert, key] = await this.#pems([tlsCaFile, tlsCertFile, tlsKeyFile]);
    const serverName = tlsServerName === "" ? undefined : tlsServerName;
    return {
      ...RPC_CLIENT_DEFAULTS,
      clusterLabel: this.#deps.cluster.label,
      secret: server.rpcSecret,
      pushTimeoutMs: distributor.remoteTimeoutMs,
      readTimeoutMs: querier.timeoutMs,
      responseSizeMaxBytes: ingesterClient.maxResponseSizeBytes,
      ...(tlsEnabled ? { tls: { ca, cert, key, serverName } } : {}),
    };
  }

  get #guardOptions(): GuardOptions {
    const { maxInflightRequests, maxInflightBytes, circuitBreaker } =
      this.#context.config.ingesterClient;
    const breaker = {
      ...CIRCUIT_BREAKER_DEFAULTS,
      ...circuitBreaker,
    };
    return {
      ...GUARD_DEFAULTS,
      inflightRequestsMax: maxInflightRequests,
      inflightBytesMax: maxInflightBytes,
      pushBreaker: breaker,
    };
  }

  #pems(paths: readonly string[]): Promise<(string | undefined)[]> {
    const { fileSystem } = this.#context.machine;
    return Promise.all(
      paths.map(async (path) =>
        path === "" ? undefined : new TextDecoder().decode(await fileSystem.readFile(path)),
      ),
    );
  }
}
