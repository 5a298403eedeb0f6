import type { RingStatus } from "../../ring/status.ts";
import { formatCount, formatDuration, formatShare, formatTime } from "../format.ts";
import { type Html, html } from "../html.ts";
import { type Column, sortedTable } from "../sorted-table.ts";
import { REPLICATION_FACTOR_KEY } from "./ring-notices.ts";
import { type NumberedInstance, numbered } from "./ring-parts.ts";
import { stateBadge } from "./ring-state.ts";

export function ringTable(status: RingStatus, parameters: URLSearchParams): Html {
  return sortedTable(numbered(status), {
    columns: columnsOf(status, parameters),
    rowKey: ({ instance }) => instance.id,
    isInstance: true,
    parameters,
  });
}

/** Columns that say nothing about any instance are left out. */
function columnsOf(status: RingStatus, parameters: URLSearchParams): Column<NumberedInstance>[] {
  const { instances, nowMs } = status;
  const hasTokens = instances.some(({ tokenCount }) => tokenCount > 0);
  return [
    {
      key: "number",
      title: "#",
      isNumber: true,
      sortBy: ({ number }) => number,
      cell: ({ number }) => String(number),
    },
    {
      key: "id",
      title: "Instance",
      sortBy: ({ instance }) => instance.id,
      cell: ({ instance }) =>
        html`<a href="${withoutLink(parameters, instance.id)}" data-stay title="Details, and what would happen without it">${instance.id}</a>`,
    },
    {
      key: "state",
      title: "State",
      sortBy: ({ instance }) => instance.state,
      cell: ({ instance }) => stateBadge(instance),
    },
    ...(instances.some(({ zone }) => zone !== "")
      ? [
          {
            key: "zone",
            title: "Zone",
            sortBy: ({ instance }: NumberedInstance) => instance.zone,
            cell: ({ instance }: NumberedInstance) => instance.zone,
          },
        ]
      : []),
    {
      key: "heartbeat",
      title: "Heartbeat",
      isNumber: true,
      sortBy: ({ instance }) => instance.heartbeatAgeMs,
      cell: ({ instance }) =>
        html`<span title="${formatTime(instance.heartbeatMs)} by its own clock"${instance.isAlive ? undefined : html` class="bad"`}>${formatDuration(instance.heartbeatAgeMs)} ago</span>`,
    },
    ...(hasTokens ? shareColumns(Math.max(...instances.map(({ owned }) => owned))) : []),
    {
      key: "address",
      title: "Address",
      isDetail: true,
      sortBy: ({ instance }) => instance.address,
      cell: ({ instance }) => instance.address,
    },
    {
      key: "registered",
      title: "Registered",
      isDetail: true,
      isNumber: true,
      sortBy: ({ instance }) => nowMs - instance.registeredAtMs,
      cell: ({ instance }) => agoCell(instance.registeredAtMs, nowMs),
    },
    ...(instances.some(({ readOnly }) => readOnly)
      ? [
          {
            key: "readonly",
            title: "Read-only",
            isDetail: true,
            sortBy: ({ instance }: NumberedInstance) => (instance.readOnly ? 0 : 1),
            cell: ({ instance }: NumberedInstance) =>
              instance.readOnly
                ? html`since ${agoCell(instance.readOnlyUpdatedAtMs, nowMs)}`
                : "no",
          },
        ]
      : []),
    {
      key: "version",
      title: "Version",
      isDetail: true,
      sortBy: ({ instance }) => versionText(instance.versions),
      cell: ({ instance }) => versionText(instance.versions),
    },
    {
      key: "forget",
      title: "",
      cell: ({ instance }) =>
        html`<a class="button" href="?${new URLSearchParams({ forget: instance.id }).toString()}" aria-label="Forget ${instance.id}">Forget…</a>`,
    },
  ];
}

function shareColumns(greatest: number): Column<NumberedInstance>[] {
  return [
    {
      key: "owned",
      title: "Owns",
      isNumber: true,
      sortBy: ({ instance }) => instance.owned,
      cell: ({ instance }) => html`${bar(instance.owned, greatest)}${formatShare(instance.owned)}`,
    },
    {
      key: "held",
      title: "Holds",
      isNumber: true,
      sortBy: ({ instance }) => instance.held,
      cell: ({ instance }) => formatShare(instance.held),
    },
    {
      key: "tokens",
      title: "Tokens",
      isDetail: true,
      isNumber: true,
      sortBy: ({ instance }) => instance.tokenCount,
      cell: ({ instance }) => formatCount(instance.tokenCount),
    },
  ];
}

function bar(value: number, greatest: number): Html {
  const width = greatest === 0 ? 0 : Math.round((100 * value) / greatest);
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="8"/></svg>`;
}

function agoCell(timeMs: number, nowMs: number): Html {
  if (timeMs === 0) return html`–`;
  return html`<span title="${formatTime(timeMs)}">${formatDuration(nowMs - timeMs)} ago</span>`;
}

/** "0.1.0" if that is all, else "muninn 0.1.0, querier 2". */
export function versionText(versions: Readonly<Record<string, string>>): string {
  const shown = Object.entries(versions).filter(([key]) => key !== REPLICATION_FACTOR_KEY);
  if (shown.length === 1) return shown[0]?.[1] ?? "";
  return shown.map(([key, version]) => `${key} ${version}`).join(", ");
}

export function withoutLink(parameters: URLSearchParams, id: string): string {
  const query = new URLSearchParams(parameters);
  query.set("without", id);
  return `?${query.toString()}`;
}
