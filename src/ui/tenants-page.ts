import { formatBytes, formatCount, formatTime } from "./format.ts";
import { type Html, html } from "./html.ts";
import type { TenantView } from "./views.ts";

/** More rows than this help nobody in a browser; the JSON has all. */
const ROWS_MAX = 1000;

export function tenantsPage(tenants: readonly TenantView[]): Html {
  const sorted = [...tenants].sort((a, b) => b.seriesCount - a.seriesCount);
  const rows = sorted.slice(0, ROWS_MAX).map(tenantRow);
  const left =
    sorted.length > ROWS_MAX
      ? html`<p class="soft">The ${ROWS_MAX} largest of ${formatCount(sorted.length)}; ask with <code>Accept: application/json</code> for all.</p>`
      : undefined;
  if (rows.length === 0) {
    return html`<h1>Tenants</h1><section>No tenant has sent anything yet. The <a href="../">first page</a> says how.</section>`;
  }
  return html`<h1>Tenants</h1>
<section class="scroll"><table>
<tr><th>Tenant</th><th class="number">Series</th><th class="number">Samples since start</th><th>Oldest sample in the head</th><th>Newest</th><th class="number">Memory</th></tr>
${rows}
</table></section>${left}`;
}

function tenantRow(view: TenantView): Html {
  return html`<tr><td>${view.tenant}</td><td class="number">${formatCount(view.seriesCount)}</td><td class="number">${formatCount(view.samplesCount)}</td><td>${formatTime(view.minTimeMs)}</td><td>${formatTime(view.maxTimeMs)}</td><td class="number">${formatBytes(view.memoryBytes)}</td></tr>`;
}
