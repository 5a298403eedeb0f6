/**
 * The ring as a picture. Each circle is two bands: the wide one has an arc for each instance, as long as its part of the
 * keys; the thin one inside of it shows where on the ring those keys lie. Key 0 is at the top, keys go clockwise.
 */
import type { InstanceStatus, RingStatus } from "../../ring/status.ts";
import { formatCount, formatDuration, formatShare } from "../format.ts";
import { type Html, html } from "../html.ts";
import {
  type Circle,
  cachedBinOwners,
  circlesOf,
  dashesOf,
  type NumberedInstance,
} from "./ring-parts.ts";
import { shownState } from "./ring-state.ts";

const OUTER_RADIUS = 240;
const INNER_RADIUS = 112;
/** Neighbours of one state are told apart by shade. */
const SHADES = 3;
/** One for each one and a half units of the outermost circle; more cannot be seen. */
const BINS_MAX = 960;

/** With more instances in a circle, numbers have no room. */
const NUMBERS_MAX = 40;

interface Band {
  readonly outer: number;
  readonly inner: number;
}

export function ringDrawing(status: RingStatus, tokensOf: (id: string) => Uint32Array): Html {
  const circles = circlesOf(status);
  const width = Math.min((OUTER_RADIUS - INNER_RADIUS) / circles.length, 72);
  const binCount = Math.floor(BINS_MAX / circles.length);
  const drawn = circles.map((circle, index) => {
    const outer = OUTER_RADIUS - index * width;
    const shares = { outer, inner: outer - width * 0.62 };
    const tokens = { outer: shares.inner - width * 0.06, inner: shares.inner - width * 0.24 };
    return html`<g>${tokenBand(circle, tokens, { binCount, tokensOf })}${shareBand(circle, shares, index)}</g>`;
  });
  return html`<svg class="ring" viewBox="-250 -250 500 500" role="group" aria-label="The ring: an arc for each instance, as long as its part of the keys. Arrow keys go from one to the next.">
${PATTERNS}${drawn}
<g class="centre" aria-hidden="true">${centre(status).map(
    (text, index) => html`<text y="${[-18, 8, 30][index]}" data-text="${text}">${text}</text>`,
  )}</g>
</svg>`;
}

/** What stands in the middle while nothing is pointed at. */
function centre({ instances, replicationFactor }: RingStatus): readonly string[] {
  const healthy = instances.filter(({ isAlive }) => isAlive).length;
  const tokens = instances.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
  return [
    `${healthy} of ${instances.length}`,
    "healthy",
    tokens === 0 ? "" : `${formatCount(tokens)} tokens, RF ${replicationFactor}`,
  ];
}

/** Hatches, so that states differ without colour. */
const PATTERNS = html`<defs>
${hatch("unhealthy", 45)}${hatch("leaving", -45)}${hatch("joining", 0)}${hatch("pending", 90)}
<pattern id="readonly" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7" class="readonly"/><circle cx="3.5" cy="3.5" r="1.3" class="stripe"/></pattern>
</defs>`;

function hatch(tone: string, degrees: number): Html {
  return html`<pattern id="${tone}" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(${degrees})"><rect width="7" height="7" class="${tone}"/><rect width="2" height="7" class="stripe"/></pattern>
`;
}

function toneOf({ instance, number }: NumberedInstance): string {
  const { tone } = shownState(instance);
  return tone === "active" ? `active shade${number % SHADES}` : tone;
}

interface TokenDrawing {
  readonly binCount: number;
  readonly tokensOf: (id: string) => Uint32Array;
}

function tokenBand(circle: Circle, band: Band, { binCount, tokensOf }: TokenDrawing): Html[] {
  const owners = circle.instances.map(({ instance }) => ({
    id: instance.id,
    state: "ACTIVE" as const,
    tokens: tokensOf(instance.id),
  }));
  const bins = cachedBinOwners(owners, binCount);
  const radius = ((band.outer + band.inner) / 2).toFixed(1);
  const width = (band.outer - band.inner).toFixed(1);
  return circle.instances.map((one, index) => {
    if (!bins.includes(index)) return html``;
    const dashes = dashesOf(bins, index).join(" ");
    return html`<circle class="tokens ${toneOf(one)}" data-instance="${one.instance.id}" data-key="t${one.number}" r="${radius}" stroke-width="${width}" pathLength="${binCount}" stroke-dasharray="${dashes}" transform="rotate(-90)"/>
`;
  });
}

function shareBand(circle: Circle, band: Band, index: number): Html[] {
  const total = circle.instances.reduce((sum, { instance }) => sum + instance.owned, 0);
  if (total === 0) return [];
  const hasNumbers = circle.instances.length <= NUMBERS_MAX;
  let before = 0;
  return circle.instances.map((one, position) => {
    const from = before / total;
    before += one.instance.owned;
    if (one.instance.owned === 0) return html``;
    const isFirst = index === 0 && position === 0;
    return arc(one, { from, to: before / total, band, isFirst, hasNumbers });
  });
}

interface ArcPlace {
  /** Parts of the circle. */
  readonly from: number;
  readonly to: number;
  readonly band: Band;
  /** The only one that Tab stops at; arrow keys lead to the others. */
  readonly isFirst: boolean;
  readonly hasNumbers: boolean;
}

function arc(one: NumberedInstance, place: ArcPlace): Html {
  const { instance, number } = one;
  const { from, to, band, isFirst } = place;
  return html`<g class="arc" data-key="a${number}" data-instance="${instance.id}" tabindex="${isFirst ? "0" : "-1"}" role="img"><title>${describe(instance)}</title><path class="${toneOf(one)}"${fillOf(instance)} d="${sector(from, to, band)}"/>${label(one, place)}</g>
`;
}

function fillOf(instance: InstanceStatus): Html | undefined {
  const { tone } = shownState(instance);
  return tone === "active" ? undefined : html` fill="url(#${tone})"`;
}

/** Three lines; the script shows them in the middle. */
function describe(instance: InstanceStatus): string {
  const silence = instance.isAlive ? "" : `, silent for ${formatDuration(instance.heartbeatAgeMs)}`;
  const zone = instance.zone === "" ? "" : `, ${instance.zone}`;
  return [
    instance.id,
    `${shownState(instance).name}${silence}${zone}`,
    `owns ${formatShare(instance.owned)}, holds ${formatShare(instance.held)}`,
  ].join("\n");
}

/** Its number, and the letter of its state unless it is ACTIVE, as far as there is room. */
function label(one: NumberedInstance, { from, to, band, hasNumbers }: ArcPlace): Html | undefined {
  const { letter } = shownState(one.instance);
  const number = hasNumbers ? String(one.number) : "";
  const width = (to - from) * Math.PI * (band.outer + band.inner);
  const texts = letter === "A" ? [number] : [`${number} ${letter}`.trim(), letter];
  const text = texts.find((candidate) => candidate.length * 9 + 2 <= width);
  if (text === undefined || text === "") return undefined;
  const [x, y] = at((from + to) / 2, (band.outer + band.inner) / 2);
  return html`<text x="${x}" y="${y}">${text}</text>`;
}

/** Clockwise from the top. */
function at(part: number, radius: number): [x: string, y: string] {
  const angle = part * 2 * Math.PI;
  return [(radius * Math.sin(angle)).toFixed(1), (-radius * Math.cos(angle)).toFixed(1)];
}

function sector(from: number, to: number, { outer, inner }: Band): string {
  // An arc that ends where it begins is none.
  const end = Math.min(to, from + 0.9999);
  const isLarge = end - from > 0.5 ? 1 : 0;
  const [outerRadius, innerRadius] = [outer.toFixed(1), inner.toFixed(1)];
  return [
    `M${at(from, outer).join(" ")}`,
    `A${outerRadius} ${outerRadius} 0 ${isLarge} 1 ${at(end, outer).join(" ")}`,
    `L${at(end, inner).join(" ")}`,
    `A${innerRadius} ${innerRadius} 0 ${isLarge} 0 ${at(from, inner).join(" ")}Z`,
  ].join("");
}
