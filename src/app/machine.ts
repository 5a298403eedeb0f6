/** What the program stands on. `run.ts` brings the real one; tests bring parts of their own. */
import type { Clock } from "../base/clock.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import type { Network } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { DataDirLock } from "../sys/data-dir-lock.ts";
import type { ProbeResult } from "../sys/http-probe.ts";

export interface Machine {
  readonly clock: Clock;
  readonly random: Random;
  readonly fileSystem: FileSystem;
  readonly network: Network;
  /** Names instances that were given no name. */
  readonly hostName: string;
  readonly logger: Logger;
  /** Keeps other processes out of the data directory until it is released; rejects if one is in. */
  readonly lockDirectory: (path: string) => Promise<DataDirLock>;
  /** Asks a server whether it is there. */
  readonly probe: (url: string, timeoutMs: number) => Promise<ProbeResult>;
}
