/** The ring at a glance: the drawing, and beside it figures, states, zones and what changed of late. */
import type { Loss } from "../../ring/impact.ts";
import type { RingStatus, ZoneStatus } from "../../ring/status.ts";
import { formatShare, formatTime } from "../format.ts";
import { type Html, html } from "../html.ts";
import { ringDrawing } from "./ring-drawing.ts";
import { ringKind } from "./ring-kind.ts";
import { circlesOf } from "./ring-parts.ts";
import type { RingPageSource } from "./ring-source.ts";
import { legend } from "./ring-state.ts";
import { isLost, minSuccess } from "./ring-verdict.ts";

const EVENTS_SHOWN = 20;

export function ringOverview(source: RingPageSource, status: RingStatus): Html {
  const hasTokens = status.instances.some(({ owned }) => owned > 0);
  const circles = circlesOf(status);
  const order =
    circles.length < 2
      ? undefined
      : html`<p class="soft">A circle for each zone, from outside in: ${circles.map(({ zone }) => zone ?? "").join(", ")}.</p>`;
  const drawing = hasTokens
    ? html`<div>${ringDrawing(status, (id) => source.tokensOf(id))}</div>`
    : undefined;
  return html`<section class="picture" data-key="picture">
${drawing}<div class="side">
${figures(source, status)}
${legend(status.instances)}
${hasTokens ? html`<p class="soft">Wide band: the part of the keys that each instance owns. Thin band: where they lie on the ring, merged where there are more ranges than can be drawn.</p>` : undefined}
${order}
${status.zones.length > 1 || status.zoneAware ? zoneTable(status.zones) : undefined}
${changes(source)}
</div>
</section>`;
}

/** The ring in a few lines. */
function figures(source: RingPageSource, status: RingStatus): Html {
  const { instances, quorum, replicationFactor } = status;
  const healthy = instances.filter(({ isAlive }) => isAlive).length;
  const shares = instances.map(({ owned }) => owned).filter((owned) => owned > 0);
  const lines: (readonly [string, string])[] = [
    ["Healthy", `${healthy} of ${instances.length}`],
    ...(ringKind(source.name).hasQuorum
      ? ([
          [
            "Writes",
            quorumText(
              quorum.writes,
              `${minSuccess(status)} of ${replicationFactor} copies for every key`,
            ),
          ],
          ["Reads", quorumText(quorum.reads, "every acknowledged sample in reach")],
        ] as const)
      : []),
    ...(shares.length === 0 ? [] : [["Own", `${spread(shares)} of the keys each`] as const]),
  ];
  return html`<dl>${lines.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function spread(shares: readonly number[]): string {
  const least = formatShare(Math.min(...shares));
  const most = formatShare(Math.max(...shares));
  return least === most ? least : `${least} to ${most}`;
}

function quorumText(loss: Loss, fine: string): string {
  return isLost(loss) ? `below quorum for ${formatShare(loss.share)} of the keys` : fine;
}

function zoneTable(zones: readonly ZoneStatus[]): Html {
  return html`<h2>Zones</h2><table>
<tr><th>Zone</th><th class="number">Healthy</th><th class="number">Owns</th></tr>
${zones.map(
  ({ zone, alive, instances, owned }) =>
    html`<tr data-key="${zone}"><td>${zone === "" ? "none" : zone}</td><td class="number${alive < instances ? " bad" : ""}">${alive} of ${instances}</td><td class="number">${formatShare(owned)}</td></tr>`,
)}</table>`;
}

function changes(source: RingPageSource): Html {
  const events = source.events().slice(0, EVENTS_SHOWN);
  if (events.length === 0)
    return html`<h2>Changes</h2><p class="soft">None since this process started.</p>`;
  return html`<h2>Changes</h2><ul class="events">${events.map(
    ({ atMs, text }) => html`<li><span class="soft">${formatTime(atMs)}</span> ${text}</li>`,
  )}</ul>`;
}
