/** What would become of the ring without one instance: for its panel, and for whoever is about to forget it. */
import type { Loss } from "../../ring/impact.ts";
import type { InstanceStatus, RingStatus } from "../../ring/status.ts";
import { formatCount, formatDuration, formatShare, formatSome, formatTime } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { RingKind } from "./ring-kind.ts";
import type { InstanceImpact, RingPageSource } from "./ring-source.ts";
import { stateBadge } from "./ring-state.ts";
import { versionText } from "./ring-table.ts";
import { isLost } from "./ring-verdict.ts";

/** Undefined where instances hold no replicas: nothing is lost with one of them. */
export function impactOf(
  kind: RingKind,
  source: RingPageSource,
  id: string,
): InstanceImpact | undefined {
  return kind.hasQuorum ? source.impactWithout(id) : undefined;
}

export function impactList(
  kind: RingKind,
  status: RingStatus,
  found: InstanceImpact | undefined,
): Html {
  if (found === undefined) {
    const healthy = status.instances.filter(({ isAlive }) => isAlive).length;
    return html`<p>${kind.purpose} Others take over what it did; ${healthy} of ${status.instances.length} are healthy now.</p>`;
  }
  const { writes, reads } = found.impact;
  return html`<ul class="impact">
<li class="${isLost(writes) ? "bad" : "good"}"><b>Writes</b> ${lossText(writes, "would fail for", "would go on for every key: enough others can take its rows")}</li>
${readsItem(reads, isLost(writes) ? undefined : found.reasonToKeep)}
</ul>`;
}

/** Where no range needs it, it may still have what nobody else can give (src/ring/auto-forget.ts). */
function readsItem(reads: Loss, reasonToKeep: string | undefined): Html {
  if (!isLost(reads) && reasonToKeep !== undefined) {
    return html`<li class="bad"><b>Reads</b> would go on, but ${reasonToKeep}.</li>`;
  }
  return html`<li class="${isLost(reads) ? "bad" : "good"}"><b>Reads</b> ${lossText(reads, "would fail, or miss samples, for", "would still find every acknowledged sample on others")}</li>`;
}

function lossText(loss: Loss, failing: string, fine: string): string {
  if (!isLost(loss)) return `${fine}.`;
  const also = loss.because.length === 0 ? "" : `; also missing: ${formatSome(loss.because)}`;
  return `${failing} ${formatShare(loss.share)} of the keys (${formatCount(loss.rangesBelowQuorum)} ranges)${also}.`;
}

/** Everything that is known of one instance; `?without=ID` opens it. */
export function instancePanel(
  kind: RingKind,
  source: RingPageSource,
  data: { readonly status: RingStatus; readonly id: string; readonly closeLink: string },
): Html {
  const { status, id, closeLink } = data;
  const instance = status.instances.find((candidate) => candidate.id === id);
  const close = html`<a class="close" href="${closeLink}" data-stay>Close</a>`;
  if (instance === undefined) {
    return html`<section id="instance" class="notice" data-key="instance">${close}<h2>${id} is not in this ring</h2>It was never here, has left, or was forgotten.</section>`;
  }
  return html`<section id="instance" data-key="instance" data-instance="${id}">
${close}<h2>${id}</h2>
<div class="two">
<dl>${facts(instance, status).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
<div><h3>If it went</h3>${impactList(kind, status, impactOf(kind, source, id))}
<p><a class="button" href="?${new URLSearchParams({ forget: id }).toString()}">Forget ${id}…</a></p></div>
</div>
</section>`;
}

function facts(
  instance: InstanceStatus,
  { nowMs }: RingStatus,
): readonly (readonly [string, Html | string])[] {
  const ago = (timeMs: number): string =>
    timeMs === 0 ? "never" : `${formatDuration(nowMs - timeMs)} ago, ${formatTime(timeMs)}`;
  return [
    ["State", stateBadge(instance)],
    ["Address", instance.address],
    ["Answers", instance.serving ? "its RPC listener serves" : "its RPC listener does not serve"],
    ...(instance.zone === "" ? [] : [["Zone", instance.zone] as const]),
    [
      "Heartbeat",
      `${formatDuration(instance.heartbeatAgeMs)} ago, ${formatTime(instance.heartbeatMs)} by its own clock`,
    ],
    ["Registered", ago(instance.registeredAtMs)],
    [
      "Read-only",
      `${instance.readOnly ? "yes" : "no"}, changed ${ago(instance.readOnlyUpdatedAtMs)}`,
    ],
    [
      "Keys",
      `owns ${formatShare(instance.owned)}, holds ${formatShare(instance.held)} as any of the replicas`,
    ],
    ["Tokens", formatCount(instance.tokenCount)],
    ["Version", versionText(instance.versions) || "not told"],
  ];
}
