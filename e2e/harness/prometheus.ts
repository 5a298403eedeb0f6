/** Debian's own Prometheus, with a configuration of the test. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { stringify } from "yaml";
import { pollUntil } from "./poll.ts";
import { freePort, Program } from "./program.ts";

export interface PrometheusOptions {
  readonly folder: string;
  readonly scrapeIntervalMs: number;
  /** Job name to address ("127.0.0.1:1234"); it always scrapes itself as "prometheus". */
  readonly targets: Readonly<Record<string, string>>;
  readonly remoteWriteUrl: string;
}

export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly program: Program;

  private constructor(program: Program, port: number) {
    this.program = program;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(options: PrometheusOptions): Promise<Prometheus> {
    const port = await freePort();
    const configuration = join(options.folder, "prometheus.yml");
    await writeFile(configuration, stringify(configurationOf(options, port)));
    const program = new Program({
      name: "prometheus",
      command: "prometheus",
      arguments: [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${join(options.folder, "prometheus-data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=warn",
      ],
    });
    const prometheus = new Prometheus(program, port);
    await pollUntil("prometheus to be ready", 30_000, async () => {
      if (program.exit !== undefined) return "ended";
      const { statusCode, body } = await request(`${prometheus.url}/-/ready`);
      await body.dump();
      return statusCode === 200 ? "ready" : undefined;
    }).then((state) => {
      if (state === "ended") throw new Error(`prometheus ended early:\n${program.output}`);
    });
    return prometheus;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.program.exit === undefined) await this.program.stop("SIGKILL");
  }
}

function configurationOf(options: PrometheusOptions, port: number): object {
  const targets = { prometheus: `127.0.0.1:${port}`, ...options.targets };
  return {
    global: { scrape_interval: `${options.scrapeIntervalMs}ms` },
    scrape_configs: Object.entries(targets).map(([job, address]) => ({
      job_name: job,
      scrape_timeout: `${options.scrapeIntervalMs}ms`,
      static_configs: [{ targets: [address] }],
    })),
    remote_write: [
      {
        url: options.remoteWriteUrl,
        queue_config: { batch_send_deadline: "500ms", max_shards: 4 },
      },
    ],
  };
}
