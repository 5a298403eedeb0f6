/** States as letter, class and word: colour is never the only sign. */
import type { InstanceStatus } from "../../ring/status.ts";
import { type Html, html } from "../html.ts";

export interface ShownState {
  readonly letter: string;
  /** Class of the style sheet. */
  readonly tone: string;
  readonly name: string;
}

const STATES: readonly ShownState[] = [
  { letter: "A", tone: "active", name: "ACTIVE" },
  { letter: "R", tone: "readonly", name: "ACTIVE, read-only" },
  { letter: "P", tone: "pending", name: "PENDING" },
  { letter: "J", tone: "joining", name: "JOINING" },
  { letter: "L", tone: "leaving", name: "LEAVING" },
  { letter: "U", tone: "unhealthy", name: "UNHEALTHY" },
];

export function shownState({ state }: Pick<InstanceStatus, "state">): ShownState {
  return STATES.find(({ name }) => name === state) ?? { letter: "?", tone: "pending", name: state };
}

/** Without what has a field of its own. */
export function plainState({ state }: Pick<InstanceStatus, "state">): string {
  return state.replace(/, read-only$/, "");
}

export function stateBadge(instance: Pick<InstanceStatus, "state">): Html {
  const { letter, tone, name } = shownState(instance);
  return html`<span class="state"><b class="letter ${tone}">${letter}</b>${name}</span>`;
}

/** Of the states that occur, in the order of life. */
export function legend(instances: readonly InstanceStatus[]): Html {
  const counted = STATES.map((state) => ({
    state,
    count: instances.filter((instance) => shownState(instance).name === state.name).length,
  })).filter(({ count }) => count > 0);
  return html`<ul class="legend">${counted.map(
    ({ state, count }) =>
      html`<li>${stateBadge({ state: state.name })} <span class="soft">${count}</span></li>`,
  )}</ul>`;
}
