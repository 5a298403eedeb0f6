/**
 * Runs Muninn in this process, from the first log line to the exit code:
 *
 *     0      SIGTERM or SIGINT, and everything was finished, flushed and closed
 *     1      it could not start, could not stop cleanly, or met a bug
 *     130    second SIGINT; 143: second SIGTERM: at once, as a crash would end it (the WAL has what was acknowledged)
 */
import { OpError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { lockDataDirectory } from "../sys/data-dir-lock.ts";
import { probeHttp } from "../sys/http-probe.ts";
import { createLogger } from "../sys/logger.ts";
import { NodeFileSystem } from "../sys/node-file-system.ts";
import { NodeNetwork } from "../sys/node-network.ts";
import { type EndSignal, ProcessHost, SIGNAL_EXIT_CODES } from "../sys/process-host.ts";
import { SystemClock } from "../sys/system-clock.ts";
import { SystemRandom } from "../sys/system-random.ts";
import { App } from "./app.ts";
import { BUILD } from "./build.ts";

export async function runApp({
  config,
  warnings,
  explicit,
}: {
  readonly config: Config;
  readonly warnings: readonly string[];
  readonly explicit: ReadonlySet<string>;
}): Promise<void> {
  const clock = new SystemClock();
  const logger = createLogger(config.log, { clock });
  const host = new ProcessHost();
  const endSignal = watch(host, logger);
  const startedMs = clock.monotonicMs();
  logger.info(
    {
      version: BUILD.version,
      node: BUILD.nodeVersion,
      target: config.target.join(","),
      pid: host.pid,
    },
    "starting Muninn",
  );
  for (const warning of warnings) logger.warn({}, warning);

  let app: App;
  try {
    app = new App(
      config,
      {
        clock,
        logger,
        random: new SystemRandom(),
        fileSystem: new NodeFileSystem(),
        network: new NodeNetwork(),
        hostName: host.name,
        lockDirectory: lockDataDirectory,
        probe: probeHttp,
      },
      warnings,
      explicit,
    );
  } catch (error) {
    logger.error(failureFields(error), "cannot start");
    return host.exit(1);
  }
  const started = app.start().then(
    () => "started" as const,
    (error: unknown) => ({ error }),
  );
  const first = await Promise.race([started, endSignal]);
  if (typeof first === "object") {
    logger.error(failureFields(first.error), "cannot start");
    await app.stop().catch(() => undefined);
    return host.exit(1);
  }
  if (first === "started") {
    logger.info({ tookMs: Math.round(clock.monotonicMs() - startedMs) }, "ready");
  }
  const signal = await endSignal;
  logger.info({ signal }, "shutting down; a second signal ends the process at once");
  const isClean = await app.stop().then(
    () => true,
    () => false,
  );
  logger.info({ clean: isClean }, "stopped");
  return host.exit(isClean ? 0 : 1);
}

/** Resolves with the first signal; the second ends the process. */
function watch(host: ProcessHost, logger: Logger): Promise<EndSignal> {
  host.onUncaught((error) => {
    logger.error({ err: error }, "BUG: nobody caught this error; the process ends");
    host.exit(1);
  });
  return new Promise((resolve) => {
    let count = 0;
    host.onEndSignal((signal) => {
      count++;
      if (count === 1) resolve(signal);
      else host.exit(SIGNAL_EXIT_CODES[signal]);
    });
  });
}

/** Operational errors say what to do; anything else comes with its stack. */
function failureFields(error: unknown): Record<string, unknown> {
  if (error instanceof OpError) return { code: error.code, reason: error.message };
  if (isSystemError(error)) return { code: error.code, reason: error.message };
  return { err: error };
}

function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
