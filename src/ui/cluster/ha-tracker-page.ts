/** Which replica of each Prometheus pair is listened to, and when another one would take over. */
import type { FastifyInstance } from "fastify";
import { wantsJson } from "../../http/accept.ts";
import { requestParameters } from "../../http/parameters.ts";
import { formatCount, formatDuration, formatTime, rfc3339 } from "../format.ts";
import { type Html, html } from "../html.ts";
import { type PageFrame, sendPage } from "../layout.ts";
import { type Column, sortedTable } from "../sorted-table.ts";

export interface HaTrackerPageSource {
  /** False: no tenant can have pairs (-distributor.ha-tracker.enable). */
  readonly isEnabled: boolean;
  nowMs(): number;
  rows(): readonly ElectedReplica[];
}

export interface ElectedReplica {
  readonly tenant: string;
  readonly cluster: string;
  readonly replica: string;
  /** When its samples came last, as all distributors know. */
  readonly receivedAtMs: number;
  readonly electedAtMs: number;
  readonly electedChanges: number;
  readonly updateTimeoutMs: number;
  /** Silent for so long, it loses its place. */
  readonly failoverTimeoutMs: number;
}

/** More rows than this help nobody in a browser; the JSON has all. */
const ROWS_MAX = 1000;

export function registerHaTrackerPage(
  app: FastifyInstance,
  frame: PageFrame,
  source: HaTrackerPageSource,
): void {
  app.get("/distributor/ha_tracker", (request, reply) => {
    const rows = [...source.rows()].sort(byTenantAndCluster);
    const nowMs = source.nowMs();
    if (wantsJson(request)) {
      const elected = rows.map((row) => rowJson(row, nowMs));
      return reply.send({ elected, now: rfc3339(nowMs) });
    }
    return sendPage(reply, frame, {
      title: "HA tracker",
      body: trackerPage(source, { rows, nowMs, parameters: requestParameters(request) }),
      isLive: true,
    });
  });
}

function byTenantAndCluster(left: ElectedReplica, right: ElectedReplica): number {
  if (left.tenant !== right.tenant) return left.tenant < right.tenant ? -1 : 1;
  return left.cluster < right.cluster ? -1 : left.cluster > right.cluster ? 1 : 0;
}

const NANOSECONDS = 1_000_000;

/** Mimir's names; durations are nanoseconds, as Go writes them, and what is left until then. */
function rowJson(row: ElectedReplica, nowMs: number): object {
  const agoMs = nowMs - row.receivedAtMs;
  return {
    userID: row.tenant,
    cluster: row.cluster,
    replica: row.replica,
    electedAt: rfc3339(row.electedAtMs),
    electedLastSeenTime: rfc3339(row.receivedAtMs),
    electedChanges: row.electedChanges,
    updateDuration: (row.updateTimeoutMs - agoMs) * NANOSECONDS,
    failoverDuration: (row.failoverTimeoutMs - agoMs) * NANOSECONDS,
  };
}

function trackerPage(
  source: HaTrackerPageSource,
  {
    rows,
    nowMs,
    parameters,
  }: {
    readonly rows: readonly ElectedReplica[];
    readonly nowMs: number;
    readonly parameters: URLSearchParams;
  },
): Html {
  const title = html`<h1>HA tracker</h1>`;
  if (!source.isEnabled) {
    return html`${title}<section>Replicas of a Prometheus pair are not told apart from other senders: set <code>-distributor.ha-tracker.enable</code>, and <code>accept_ha_samples</code> for the tenants that send from pairs.</section>`;
  }
  if (rows.length === 0) {
    return html`${title}<section>No replica is elected: no tenant with <code>accept_ha_samples</code> has sent series with both labels, <code>cluster</code> and <code>__replica__</code> by default.</section>`;
  }
  const shown = rows.slice(0, ROWS_MAX);
  const left =
    rows.length > ROWS_MAX
      ? html`<p class="soft">The first ${ROWS_MAX} of ${formatCount(rows.length)}; ask with <code>Accept: application/json</code> for all.</p>`
      : undefined;
  return html`${title}<section data-key="table">${sortedTable(shown, {
    columns: columnsOf(nowMs),
    rowKey: ({ tenant, cluster }) => JSON.stringify([tenant, cluster]),
    parameters,
  })}</section>${left}`;
}

function columnsOf(nowMs: number): Column<ElectedReplica>[] {
  const leftMs = (row: ElectedReplica): number => row.receivedAtMs + row.failoverTimeoutMs - nowMs;
  return [
    { key: "tenant", title: "Tenant", sortBy: (row) => row.tenant, cell: (row) => row.tenant },
    { key: "cluster", title: "Cluster", sortBy: (row) => row.cluster, cell: (row) => row.cluster },
    {
      key: "replica",
      title: "Elected replica",
      sortBy: (row) => row.replica,
      cell: (row) => row.replica,
    },
    {
      key: "elected",
      title: "Elected",
      isNumber: true,
      sortBy: (row) => row.electedAtMs,
      cell: (row) =>
        html`<span title="${formatTime(row.electedAtMs)}">${formatDuration(nowMs - row.electedAtMs)} ago</span>`,
    },
    {
      key: "changes",
      title: "Changes",
      isNumber: true,
      isDetail: true,
      sortBy: (row) => row.electedChanges,
      cell: (row) => formatCount(row.electedChanges),
    },
    {
      key: "received",
      title: "Last samples",
      isNumber: true,
      sortBy: (row) => row.receivedAtMs,
      cell: (row) =>
        html`<span title="${formatTime(row.receivedAtMs)}">${formatDuration(nowMs - row.receivedAtMs)} ago</span>`,
    },
    {
      key: "failover",
      title: "Another may take over",
      isNumber: true,
      sortBy: leftMs,
      cell: (row) =>
        leftMs(row) > 0
          ? `in ${formatDuration(leftMs(row))}`
          : html`<span class="warn">with its next samples</span>`,
    },
  ];
}
