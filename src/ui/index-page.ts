/** The first page: is it well, how do I connect, where is everything. */
import { formatBytes, formatCount } from "./format.ts";
import { type Html, html } from "./html.ts";
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
}

/** Text by key of `data-live`. */
export function liveFigures(
  tenants: readonly TenantView[],
  readiness: Readiness,
): Readonly<Record<string, string>> {
  const sum = (of: (tenant: TenantView) => number): number =>
    tenants.reduce((total, tenant) => total + of(tenant), 0);
  return {
    state: readiness.isReady ? "ready" : "not ready",
    tenants: formatCount(tenants.length),
    series: formatCount(sum((tenant) => tenant.seriesCount)),
    samples: formatCount(sum((tenant) => tenant.samplesCount)),
    memory: formatBytes(sum((tenant) => tenant.memoryBytes)),
  };
}

export function indexPage(data: IndexPageData): Html {
  const figures = liveFigures(data.tenants, data.readiness);
  return html`<h1>Metrics store, <span class="${data.readiness.isReady ? "good" : "bad"}" data-live="state">${figures.state}</span></h1>
${notReady(data.readiness)}
${data.notices.map((notice) => html`<section class="notice">${notice}</section>`)}
<div class="grid">
${figure("Tenants", "tenants", figures)}
${figure("Series in memory", "series", figures)}
${figure("Samples taken in since start", "samples", figures)}
${figure("Memory of the heads", "memory", figures)}
</div>
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
${linkGroup("Ingester", data.pathPrefix, [["/ingester/tenants", "Tenants and their heads"]])}
</div>`;
}

function notReady({ isReady, reasons }: Readiness): Html | undefined {
  if (isReady) return undefined;
  return html`<section class="notice"><h2>Not ready yet</h2><ul>${reasons.map((reason) => html`<li>${reason}</li>`)}</ul></section>`;
}

function figure(title: string, key: string, figures: Readonly<Record<string, string>>): Html {
  return html`<section><div class="soft">${title}</div><div class="figure" data-live="${key}">${figures[key]}</div></section>`;
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
