import { formatBytes, formatCount, formatTime } from "./format.ts";
import { type Html, html } from "./html.ts";
import { type Column, sortedTable } from "./sorted-table.ts";
import type { TenantView } from "./views.ts";

/** More rows than this help nobody in a browser; the JSON has all. */
const ROWS_MAX = 1000;

export interface TenantsPageData {
  readonly tenants: readonly TenantView[];
  readonly parameters: URLSearchParams;
  /** There is a page with the tenants of all ingesters. */
  readonly hasUserStats: boolean;
}

export function tenantsPage({ tenants, parameters, hasUserStats }: TenantsPageData): Html {
  if (tenants.length === 0) {
    return html`<h1>Tenants</h1><section>No tenant has sent anything yet. The <a href="../">first page</a> says how.</section>`;
  }
  const sorted = [...tenants].sort((a, b) => b.seriesCount - a.seriesCount);
  const left =
    sorted.length > ROWS_MAX
      ? html`<p class="soft">The ${ROWS_MAX} largest of ${formatCount(sorted.length)}; ask with <code>Accept: application/json</code> for all.</p>`
      : undefined;
  const cluster = hasUserStats
    ? html`<p class="soft">In this process. <a href="../distributor/all_user_stats">Tenants of the whole cluster</a></p>`
    : undefined;
  return html`<h1>Tenants</h1>
<section data-key="table">${sortedTable(sorted.slice(0, ROWS_MAX), {
    columns: COLUMNS,
    rowKey: ({ tenant }) => tenant,
    parameters,
  })}</section>${left}${cluster}`;
}

const COLUMNS: readonly Column<TenantView>[] = [
  { key: "tenant", title: "Tenant", sortBy: (view) => view.tenant, cell: (view) => view.tenant },
  {
    key: "series",
    title: "Series",
    isNumber: true,
    sortBy: (view) => view.seriesCount,
    cell: (view) => formatCount(view.seriesCount),
  },
  {
    key: "samples",
    title: "Samples since start",
    isNumber: true,
    sortBy: (view) => view.samplesCount,
    cell: (view) => formatCount(view.samplesCount),
  },
  {
    key: "oldest",
    title: "Oldest sample in the head",
    isDetail: true,
    sortBy: (view) => view.minTimeMs ?? 0,
    cell: (view) => formatTime(view.minTimeMs),
  },
  {
    key: "newest",
    title: "Newest",
    sortBy: (view) => view.maxTimeMs ?? 0,
    cell: (view) => formatTime(view.maxTimeMs),
  },
  {
    key: "memory",
    title: "Memory",
    isNumber: true,
    sortBy: (view) => view.memoryBytes,
    cell: (view) => formatBytes(view.memoryBytes),
  },
];
