/** Which series a load consists of: "mixed:100000" or "m:1000,g:200,h:50". */
import { mix32 } from "./hash.ts";
import { mixedSeries, NAMESPACES, podName, SERVICES } from "./mixed-profile.ts";
import { LATENCY_BOUNDS, type ValueSource } from "./value.ts";

export interface LoadSeries extends ValueSource {
  /** Not sorted; the encoder sorts. */
  readonly labels: readonly (readonly [string, string])[];
  /** Series of one target are scraped together. */
  readonly target: number;
}

/** A generator, because a million series with labels as strings would be a gigabyte. */
export function* seriesOf(profile: string, seed: number): Generator<LoadSeries> {
  for (const part of profile.split(",")) {
    const [name, countText] = part.split(":");
    const count = Number(countText);
    if (!Number.isInteger(count) || count < 1) throw new Error(`bad profile: ${part}`);
    for (let i = 0; i < count; i++) {
      if (name === "mixed") yield mixedSeries(i, seed);
      else if (name === "m") yield querySeries("m", i, 0x1000000 + i, "int-counter");
      else if (name === "g") {
        yield querySeries("g", i, 0x2000000 + i, i % 2 === 1 ? "int-gauge" : "float-gauge");
      } else if (name === "h") yield* histogram(i);
      else throw new Error(`unknown profile: ${part}`);
    }
  }
}

/** Instances spread over 20 jobs: what the queries of reference/peers.md aggregate over. */
function querySeries(
  metric: string,
  instance: number,
  id: number,
  kind: LoadSeries["kind"],
): LoadSeries {
  const service = SERVICES[instance & 7] as string;
  return {
    id,
    target: instance,
    kind,
    bucket: 0,
    labels: [
      ["__name__", metric],
      ["cluster", "prod-eu-west-1-k8s-01"],
      ["container", service],
      ["endpoint", "http-metrics"],
      ["instance", `10.1.${(instance >>> 7) & 127}.${instance & 127}:9100`],
      ["job", `job-${instance % 20}`],
      ["namespace", NAMESPACES[(instance >>> 3) & 7] as string],
      ["pod", podName(service, mix32(instance))],
    ],
  };
}

function* histogram(instance: number): Generator<LoadSeries> {
  const base = querySeries("h_bucket", instance, 0x3000000 + instance, "histogram-bucket");
  for (const [bucket, le] of LATENCY_BOUNDS.entries()) {
    yield { ...base, bucket, labels: [...base.labels, ["le", le]] };
  }
}
