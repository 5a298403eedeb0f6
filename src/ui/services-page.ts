import { type Html, html } from "./html.ts";
import type { ServiceView } from "./views.ts";

const TONE: Readonly<Partial<Record<ServiceView["state"], string>>> = {
  running: "good",
  starting: "warn",
  stopping: "warn",
  failed: "bad",
};

/** In the order in which they start. */
export function servicesPage(services: readonly ServiceView[], notices: readonly string[]): Html {
  return html`<h1>Services</h1>
<section class="scroll"><table>
<tr><th>Service</th><th>State</th><th></th></tr>
${services.map(
  ({ name, state, failure }) =>
    html`<tr><td>${name}</td><td class="${TONE[state] ?? "soft"}">${state}</td><td class="bad">${failure}</td></tr>`,
)}
</table></section>
${notices.map((notice) => html`<section class="notice">${notice}</section>`)}`;
}
