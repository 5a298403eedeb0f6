import { once } from "node:events";
import { App } from "../../src/app/app.ts";
import type { Machine } from "../../src/app/machine.ts";
import { must } from "../../src/base/assert.ts";
import type { FileSystem } from "../../src/base/file-system.ts";
import { SeededRandom } from "../../src/base/random.ts";
import type { Config } from "../../src/config/config.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import type { HttpServer } from "../../src/http/server.ts";
import type { TimeSeries } from "../../src/wire/remote-write.ts";
import { MemoryLogger } from "../http/http-fixture.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { namedSeries, writeBody } from "../testkit/remote-write.ts";
import { SimNetwork } from "../testkit/sim-network.ts";
import { TestClock } from "../testkit/test-clock.ts";

export interface AppFixture {
  readonly app: App;
  readonly server: HttpServer;
  readonly clock: TestClock;
  readonly logger: MemoryLogger;
}

/** A whole Muninn on a disk in memory and virtual time; only its HTTP port is real. */
export function newApp(
  options: {
    readonly disk?: FileSystem;
    readonly config?: Partial<Config>;
    readonly machine?: Partial<Machine>;
    readonly warnings?: readonly string[];
    /** YAML paths of what the operator has set. */
    readonly explicit?: readonly string[];
  } = {},
): AppFixture {
  const clock = new TestClock();
  const logger = new MemoryLogger();
  const defaults = defaultConfig();
  const config: Config = {
    ...defaults,
    server: { ...defaults.server, httpListenAddress: "127.0.0.1", httpListenPort: 0 },
    ...options.config,
  };
  const app = new App(
    config,
    {
      clock,
      logger,
      random: new SeededRandom(1),
      fileSystem: options.disk ?? new MemoryFileSystem(),
      network: new SimNetwork({}, { clock, random: new SeededRandom(2) }).host("10.0.0.1"),
      hostName: "muninn-1",
      lockDirectory: async () => ({ release: async () => undefined }),
      probe: async () => ({ kind: "unreachable", reason: "no network in tests" }),
      ...options.machine,
    },
    options.warnings,
    new Set(options.explicit),
  );
  const server = must(app.parts.http, "every target has HTTP");
  return { app, server, clock, logger };
}

/** Lets time pass until the work is done; work that takes more than `timeoutMs` is an error. */
export async function during<Result>(
  clock: TestClock,
  work: Promise<Result>,
  timeoutMs = 120_000,
): Promise<Result> {
  const ended = work.then(
    () => undefined,
    () => undefined,
  );
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  const untilMs = clock.monotonicMs() + timeoutMs;
  while (!isOver && clock.monotonicMs() < untilMs) await clock.advance(20);
  if (!isOver) throw new Error(`not done after ${timeoutMs} ms`);
  return work;
}

/** Lets time pass until it is so. */
export async function until(clock: TestClock, isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 3_000 && !isSo(); i++) await clock.advance(20);
  if (!isSo()) throw new Error("a minute has passed, and it is still not so");
}

export function portOf(server: HttpServer): number {
  return (server.app.server.address() as { port: number }).port;
}

/** Resolves when it accepts connections. */
export async function listening(server: HttpServer): Promise<void> {
  if (!server.app.server.listening) await once(server.app.server, "listening");
}

export async function push(
  server: HttpServer,
  tenant: string,
  timeMs: number,
  series: readonly TimeSeries[] = [namedSeries("up", { job: "a" }, [[timeMs, 1]])],
): Promise<{ status: number; body: string }> {
  const answer = await fetch(`http://127.0.0.1:${portOf(server)}/api/v1/push`, {
    method: "POST",
    headers: {
      "x-scope-orgid": tenant,
      "content-type": "application/x-protobuf",
      "content-encoding": "snappy",
    },
    body: new Uint8Array(writeBody(...series)),
  });
  return { status: answer.status, body: await answer.text() };
}

export async function get(
  server: HttpServer,
  path: string,
): Promise<{ status: number; body: string }> {
  const answer = await fetch(`http://127.0.0.1:${portOf(server)}${path}`, {
    headers: { accept: "application/json" },
  });
  return { status: answer.status, body: await answer.text() };
}
