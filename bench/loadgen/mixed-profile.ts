/**
 * The profile "mixed": scrape targets of 500 series each, named and labelled as node-exporter, cAdvisor and an
 * application in Kubernetes would. 11.74 labels and 277 bytes of label text a series.
 */
import { hash2, mix32 } from "./hash.ts";
import type { LoadSeries } from "./profile.ts";
import { LATENCY_BOUNDS, type ValueKind } from "./value.ts";

export const SERIES_PER_TARGET = 500;

const REGIONS = ["eu-west-1", "us-east-1", "ap-south-1"] as const;
export const NAMESPACES = [
  "payments",
  "checkout",
  "catalog",
  "identity",
  "search",
  "observability",
  "kube-system",
  "platform",
] as const;
export const SERVICES = [
  "api-gateway",
  "order-worker",
  "session-store",
  "inventory",
  "recommender",
  "billing-cron",
  "node-exporter",
  "ingress-nginx",
] as const;

interface PlannedSeries {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly kind: ValueKind;
}

const PLAN: readonly PlannedSeries[] = planTarget();

/** Series number `index` of the profile. */
export function mixedSeries(index: number, seed: number): LoadSeries {
  const target = Math.floor(index / SERIES_PER_TARGET);
  const { name, labels, kind } = PLAN[index % SERIES_PER_TARGET] as PlannedSeries;
  const h = hash2(target, 0x51ed, seed);
  const service = SERVICES[h & 7] as string;
  const namespace = NAMESPACES[(h >>> 3) & 7] as string;
  const region = REGIONS[target % 3] as string;
  const [high, middle, low] = [(target >>> 14) & 255, (target >>> 7) & 127, target & 127];
  return {
    id: index,
    target,
    kind,
    bucket: 0,
    labels: [
      ["__name__", name],
      ["cluster", `prod-${region}-k8s-0${1 + (target % 4)}`],
      ["container", service],
      ["endpoint", "http-metrics"],
      ["instance", `10.${high}.${middle}.${low}:9100`],
      ["job", `${namespace}/${service}`],
      ["namespace", namespace],
      ["node", `ip-10-${high}-${middle}-${low}.${region}.compute.internal`],
      ["pod", podName(service, h)],
      ["service", service],
      ...labels,
    ],
  };
}

export function podName(service: string, h: number): string {
  return `${service}-${hex(mix32(h), 8)}-${hex(mix32(h + 1), 5)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0").slice(-digits);
}

function planTarget(): PlannedSeries[] {
  const plan = [
    ...cpu(),
    ...network(),
    ...disks(),
    ...fileSystems(),
    ...memory(),
    ...requests(),
    ...containers(),
    ...runtime(),
  ];
  for (let event = 100; plan.length < SERIES_PER_TARGET; event++) {
    const kind = event % 2 === 1 ? "int-counter" : "idle-counter";
    plan.push(planned("app_business_events_total", kind, { event: `evt_${event}` }));
  }
  return plan;
}

function planned(
  name: string,
  kind: ValueKind,
  labels: Readonly<Record<string, string>> = {},
): PlannedSeries {
  return { name, kind, labels: Object.entries(labels) };
}

function cpu(): PlannedSeries[] {
  const modes = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
  const busy = new Set(["idle", "softirq", "system", "user"]);
  return [...Array(16).keys()].flatMap((core) =>
    modes.map((mode) =>
      planned("node_cpu_seconds_total", busy.has(mode) ? "float-counter" : "idle-counter", {
        cpu: String(core),
        mode,
      }),
    ),
  );
}

function network(): PlannedSeries[] {
  const kinds = ["bytes", "packets", "errs", "drop"];
  return ["eth0", "eth1", "lo", "cni0"].flatMap((device) =>
    kinds.flatMap((what) =>
      ["receive", "transmit"].map((direction) =>
        planned(
          `node_network_${direction}_${what}_total`,
          what === "errs" || what === "drop" ? "idle-counter" : "int-counter",
          { device },
        ),
      ),
    ),
  );
}

function disks(): PlannedSeries[] {
  const metrics: readonly (readonly [string, ValueKind])[] = [
    ["reads_completed_total", "int-counter"],
    ["writes_completed_total", "int-counter"],
    ["read_bytes_total", "int-counter"],
    ["written_bytes_total", "int-counter"],
    ["io_time_seconds_total", "float-counter"],
    ["io_now", "float-gauge"],
  ];
  return ["nvme0n1", "nvme1n1", "dm-0", "dm-1"].flatMap((device) =>
    metrics.map(([metric, kind]) => planned(`node_disk_${metric}`, kind, { device })),
  );
}

function fileSystems(): PlannedSeries[] {
  const mounts = [
    ["/", "nvme0n1p1"],
    ["/boot", "nvme0n1p2"],
    ["/var/lib/containerd", "dm-0"],
    ["/var/lib/kubelet", "dm-1"],
  ] as const;
  const metrics: readonly (readonly [string, ValueKind])[] = [
    ["avail_bytes", "int-gauge"],
    ["size_bytes", "constant-gauge"],
    ["free_bytes", "int-gauge"],
    ["files", "constant-gauge"],
    ["files_free", "int-gauge"],
    ["readonly", "constant-gauge"],
  ];
  return mounts.flatMap(([mountpoint, device]) =>
    metrics.map(([metric, kind]) =>
      planned(`node_filesystem_${metric}`, kind, { device, fstype: "ext4", mountpoint }),
    ),
  );
}

function memory(): PlannedSeries[] {
  const moving = [
    "MemFree",
    "MemAvailable",
    "Buffers",
    "Cached",
    "Active",
    "Inactive",
    "Dirty",
    "AnonPages",
    "Mapped",
    "Shmem",
    "Slab",
    "PageTables",
    "Committed_AS",
  ];
  const constant = [
    "MemTotal",
    "SwapTotal",
    "SwapFree",
    "Writeback",
    "VmallocUsed",
    "HugePages_Total",
    "HugePages_Free",
  ];
  return [
    ...moving.map((name) => planned(`node_memory_${name}_bytes`, "int-gauge")),
    ...constant.map((name) => planned(`node_memory_${name}_bytes`, "constant-gauge")),
  ];
}

function requests(): PlannedSeries[] {
  const name = "http_request_duration_seconds";
  return ["GET", "POST", "PUT"].flatMap((method) =>
    ["200", "404", "500"].flatMap((code) => {
      const count = code === "200" ? "int-counter" : "idle-counter";
      const sum = code === "200" ? "float-counter" : "idle-counter";
      return [
        ...LATENCY_BOUNDS.map((le) => planned(`${name}_bucket`, count, { method, code, le })),
        planned(`${name}_sum`, sum, { method, code }),
        planned(`${name}_count`, count, { method, code }),
      ];
    }),
  );
}

function containers(): PlannedSeries[] {
  const metrics: readonly (readonly [string, ValueKind])[] = [
    ["cpu_usage_seconds_total", "float-counter"],
    ["cpu_cfs_throttled_seconds_total", "float-counter"],
    ["memory_working_set_bytes", "int-gauge"],
    ["memory_rss", "int-gauge"],
    ["memory_cache", "int-gauge"],
    ["network_receive_bytes_total", "int-counter"],
    ["network_transmit_bytes_total", "int-counter"],
    ["fs_reads_total", "int-counter"],
    ["fs_writes_total", "int-counter"],
    ["last_seen", "int-gauge"],
    ["spec_cpu_quota", "constant-gauge"],
    ["spec_memory_limit_bytes", "constant-gauge"],
    ["processes", "constant-gauge"],
    ["threads", "constant-gauge"],
    ["sockets", "int-gauge"],
  ];
  return metrics.flatMap(([metric, kind]) =>
    ["guaranteed", "burstable", "besteffort", "system"].map((slice) =>
      planned(`container_${metric}`, kind, { id: `/kubepods.slice/${slice}` }),
    ),
  );
}

function runtime(): PlannedSeries[] {
  const metrics: readonly (readonly [string, ValueKind])[] = [
    ["go_goroutines", "int-gauge"],
    ["go_threads", "constant-gauge"],
    ["go_memstats_alloc_bytes", "int-gauge"],
    ["go_memstats_heap_inuse_bytes", "int-gauge"],
    ["go_memstats_heap_objects", "int-gauge"],
    ["go_memstats_next_gc_bytes", "int-gauge"],
    ["process_open_fds", "int-gauge"],
    ["process_max_fds", "constant-gauge"],
    ["process_resident_memory_bytes", "int-gauge"],
    ["process_virtual_memory_bytes", "int-gauge"],
    ["process_start_time_seconds", "constant-gauge"],
    ["process_cpu_seconds_total", "float-counter"],
    ["go_gc_duration_seconds_count", "int-counter"],
    ["go_gc_duration_seconds_sum", "float-counter"],
    ["up", "constant-gauge"],
    ["scrape_duration_seconds", "float-gauge"],
    ["scrape_samples_scraped", "constant-gauge"],
    ["scrape_series_added", "constant-gauge"],
  ];
  return metrics.map(([metric, kind]) => planned(metric, kind));
}
