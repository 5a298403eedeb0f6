/** The first page: is it well, how do I connect, where is everything. */

import type { ClusterSources } from "./cluster/cluster-pages.ts";
import { formatBytes, formatCount } from "./format.ts";
import { type Html, html } from "./html.ts";
import { ringKind } from "./ring/ring-kind.ts";
import { ringPaths } from "./ring/ring-source.ts";
import { ringVerdict, TONE_MARK } from "./ring/ring-verdict.ts";
import type { Readiness, TenantView } from "./views.ts";

export interface IndexPageData {
  readonly pathPrefix: string;
  readonly prometheusPrefix: string;
  /** As the browser reached us: "http://localhost:8080". */
  readonly origin: string;
  readonly multitenancyEnabled: boolean;
  readonly readiness: Readiness;
  readonly notices: readonly string[];
  readonly tenants: readonly TenantView[];
  readonly cluster: ClusterSources | undefined;
}

export function indexPage(data: IndexPageData): Html {
  const { readiness, tenants } = data;
  const sum = (of: (tenant: TenantView) => number): string =>
    formatCount(tenants.reduce((total, tenant) => total + of(tenant), 0));
  const memoryBytes = tenants.reduce((total, tenant) => total + tenant.memoryBytes, 0);
  return html`<h1>Metrics store, <span class="${readiness.isReady ? "good" : "bad"}">${readiness.isReady ? "ready" : "not ready"}</span></h1>
${notReady(readiness)}
${data.notices.map((notice) => html`<section class="notice">${notice}</section>`)}
<div class="grid">
${figure("Tenants", formatCount(tenants.length))}
${figure(
  "Series in memory",
  sum(({ seriesCount }) => seriesCount),
)}
${figure(
  "Samples taken in since start",
  sum(({ samplesCount }) => samplesCount),
)}
${figure("Memory of the heads", formatBytes(memoryBytes))}
</div>
${ringLines(data)}
${connect(data)}
<div class="grid">
${linkGroup("Service", data.pathPrefix, [
  ["/ready", "Readiness"],
  ["/services", "Services and their states"],
  ["/metrics", "Metrics of this process"],
  ["/api/v1/status/buildinfo", "Build information"],
])}
${linkGroup("Configuration", data.pathPrefix, [
  ["/config", "In effect, with defaults"],
  ["/config?mode=diff", "What differs from the defaults"],
  ["/config?mode=defaults", "Defaults"],
  ["/runtime_config", "Overrides per tenant"],
])}
${linkGroup("Tenants", data.pathPrefix, [
  ["/ingester/tenants", "In this process"],
  ...(data.cluster?.userStats === undefined
    ? []
    : [["/distributor/all_user_stats", "In the whole cluster"] as const]),
  ...(data.cluster?.haTracker === undefined
    ? []
    : [["/distributor/ha_tracker", "HA tracker: Prometheus pairs"] as const]),
])}
${clusterLinks(data)}
</div>`;
}

/** One line for each ring: is it well? */
function ringLines({ cluster, pathPrefix }: IndexPageData): Html | undefined {
  if (cluster === undefined || cluster.rings.length === 0) return undefined;
  return html`<section data-key="rings"><h2>Rings</h2><ul class="rings">${cluster.rings.map(
    (ring) => {
      const { tone, title } = ringVerdict(ring.name, ring.status());
      return html`<li><span class="dot ${tone}">${TONE_MARK[tone]}</span><a href="${pathPrefix}${ringPaths(ring.name)[0]}">${ringKind(ring.name).title}</a> <span class="soft">${title}</span></li>`;
    },
  )}</ul></section>`;
}

function clusterLinks({ cluster, pathPrefix }: IndexPageData): Html | undefined {
  if (cluster === undefined) return undefined;
  return linkGroup("Cluster", pathPrefix, [
    ...cluster.rings.map(({ name }) => [ringPaths(name)[0], ringKind(name).title] as const),
    ...(cluster.memberlist === undefined
      ? []
      : [["/memberlist", "Memberlist: members and what they share"] as const]),
  ]);
}

function notReady({ isReady, reasons }: Readiness): Html | undefined {
  if (isReady) return undefined;
  return html`<section class="notice"><h2>Not ready yet</h2><ul>${reasons.map((reason) => html`<li>${reason}</li>`)}</ul></section>`;
}

function figure(title: string, value: string): Html {
  return html`<section><div class="soft">${title}</div><div class="figure">${value}</div></section>`;
}

function connect({
  origin,
  pathPrefix,
  prometheusPrefix,
  multitenancyEnabled,
}: IndexPageData): Html {
  const base = `${origin}${pathPrefix}`;
  const headers = multitenancyEnabled ? "\n    headers:\n      X-Scope-OrgID: demo" : "";
  const curlHeader = multitenancyEnabled ? " -H 'X-Scope-OrgID: demo'" : "";
  const grafanaHeader = multitenancyEnabled
    ? html` and, under <i>HTTP headers</i>, <code>X-Scope-OrgID</code> with the tenant's name`
    : undefined;
  const remoteWrite = `remote_write:\n  - url: ${base}/api/v1/push${headers}`;
  const query = `curl -G${curlHeader} ${base}${prometheusPrefix}/api/v1/query --data-urlencode 'query=up'`;
  return html`<section>
<h2>Send metrics: add to prometheus.yml</h2>
<pre>${remoteWrite}</pre>
</section>
<section>
<h2>Read them: in Grafana, a Prometheus data source</h2>
URL <code>${base}${prometheusPrefix}</code>${grafanaHeader}. Or from a shell:
<pre>${query}</pre>
</section>`;
}

function linkGroup(
  title: string,
  pathPrefix: string,
  links: readonly (readonly [path: string, text: string])[],
): Html {
  const items = links.map(
    ([path, text]) => html`<li><a href="${pathPrefix}${path}">${text}</a></li>`,
  );
  return html`<section><h2>${title}</h2><ul>${items}</ul></section>`;
}
