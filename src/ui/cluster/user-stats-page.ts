/** Tenants of the whole cluster, as the ingesters report them together. */
import type { FastifyInstance } from "fastify";
import { OpError } from "../../base/errors.ts";
import { wantsJson } from "../../http/accept.ts";
import { answerFor } from "../../http/errors.ts";
import { requestParameters } from "../../http/parameters.ts";
import { formatCount, rfc3339 } from "../format.ts";
import { type Html, html } from "../html.ts";
import { type PageFrame, sendPage } from "../layout.ts";
import { type Column, sortedTable } from "../sorted-table.ts";

export interface UserStatsPageSource {
  nowMs(): number;
  /** Rejects with an OpError that names the ingesters that are missing. */
  stats(): Promise<ClusterUserStats>;
}

export interface ClusterUserStats {
  readonly replicationFactor: number;
  readonly tenants: readonly TenantRates[];
}

/** Of one tenant, replicas counted once. */
export interface TenantRates {
  readonly tenant: string;
  readonly seriesCount: number;
  /** Samples a second. */
  readonly ingestionRate: number;
  readonly apiIngestionRate: number;
  readonly ruleIngestionRate: number;
}

/** More rows than this help nobody in a browser; the JSON has all. */
const ROWS_MAX = 1000;

export function registerUserStatsPage(
  app: FastifyInstance,
  frame: PageFrame,
  source: UserStatsPageSource,
): void {
  app.get("/distributor/all_user_stats", async (request, reply) => {
    const outcome = await source.stats().catch((error: unknown) => {
      if (error instanceof OpError) return error;
      throw error;
    });
    if (outcome instanceof OpError) void reply.code(answerFor(outcome).status);
    if (wantsJson(request)) {
      return reply.send(
        outcome instanceof OpError
          ? { error: outcome.message }
          : statsJson(outcome, source.nowMs()),
      );
    }
    const parameters = requestParameters(request);
    return sendPage(reply, frame, {
      title: "Tenants of the cluster",
      body: outcome instanceof OpError ? failurePage(outcome) : statsPage(outcome, parameters),
      isLive: true,
    });
  });
}

/** Mimir's shape. */
function statsJson({ tenants, replicationFactor }: ClusterUserStats, nowMs: number): object {
  return {
    now: rfc3339(nowMs),
    stats: tenants.map((tenant) => ({
      userID: tenant.tenant,
      ingestionRate: tenant.ingestionRate,
      numSeries: tenant.seriesCount,
      APIIngestionRate: tenant.apiIngestionRate,
      RuleIngestionRate: tenant.ruleIngestionRate,
    })),
    replicationFactor,
  };
}

const TITLE = html`<h1>Tenants of the cluster</h1>`;

function failurePage(error: OpError): Html {
  return html`${TITLE}<section class="notice bad" role="alert">${error.message}</section>
<section>The figures are the sum over all ingesters, so all must answer. <a href="../ingester/ring">The ring</a> tells who does not.</section>`;
}

function statsPage(
  { tenants, replicationFactor }: ClusterUserStats,
  parameters: URLSearchParams,
): Html {
  if (tenants.length === 0) {
    return html`${TITLE}<section>No tenant has sent anything yet. The <a href="../">first page</a> says how.</section>`;
  }
  const sorted = [...tenants].sort((left, right) => right.seriesCount - left.seriesCount);
  const total = (of: (tenant: TenantRates) => number): number =>
    tenants.reduce((sum, tenant) => sum + of(tenant), 0);
  const left =
    sorted.length > ROWS_MAX
      ? html`<p class="soft">The ${ROWS_MAX} largest; ask with <code>Accept: application/json</code> for all.</p>`
      : undefined;
  return html`${TITLE}
<div class="grid">
<section><div class="soft">Tenants</div><div class="figure">${formatCount(tenants.length)}</div></section>
<section><div class="soft">Series in memory</div><div class="figure">${formatCount(total(({ seriesCount }) => seriesCount))}</div></section>
<section><div class="soft">Samples a second</div><div class="figure">${formatRate(total(({ ingestionRate }) => ingestionRate))}</div></section>
<section><div class="soft">Copies of each, counted once here</div><div class="figure">${replicationFactor}</div></section>
</div>
<section data-key="table">${sortedTable(sorted.slice(0, ROWS_MAX), { columns: COLUMNS, rowKey: ({ tenant }) => tenant, parameters })}</section>${left}`;
}

function formatRate(samplesPerSecond: number): string {
  return samplesPerSecond < 100
    ? String(Number(samplesPerSecond.toPrecision(3)))
    : formatCount(samplesPerSecond);
}

const COLUMNS: readonly Column<TenantRates>[] = [
  { key: "tenant", title: "Tenant", sortBy: (row) => row.tenant, cell: (row) => row.tenant },
  {
    key: "series",
    title: "Series",
    isNumber: true,
    sortBy: (row) => row.seriesCount,
    cell: (row) => formatCount(row.seriesCount),
  },
  {
    key: "rate",
    title: "Samples a second",
    isNumber: true,
    sortBy: (row) => row.ingestionRate,
    cell: (row) => formatRate(row.ingestionRate),
  },
  {
    key: "api",
    title: "By push",
    isNumber: true,
    isDetail: true,
    sortBy: (row) => row.apiIngestionRate,
    cell: (row) => formatRate(row.apiIngestionRate),
  },
  {
    key: "rules",
    title: "By rules",
    isNumber: true,
    isDetail: true,
    sortBy: (row) => row.ruleIngestionRate,
    cell: (row) => formatRate(row.ruleIngestionRate),
  },
];
