/** The gossip cluster as this process sees it: members, what they hold together, and what was said of late. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../../base/errors.ts";
import type { HistoryEntry } from "../../gossip/kv/history.ts";
import type { KeyStatus } from "../../gossip/kv/kv-store.ts";
import { wantsJson } from "../../http/accept.ts";
import { requestParameters } from "../../http/parameters.ts";
import { FormGuard, TOKEN_FIELD } from "../form-guard.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumberOf,
  formatTime,
  rfc3339,
} from "../format.ts";
import { type Html, html } from "../html.ts";
import { sendPage } from "../layout.ts";
import type { FormPagesOptions } from "../ring/ring-page.ts";
import { type Column, sortedTable } from "../sorted-table.ts";
import type { MemberlistPageSource, MemberlistStatus, MemberView } from "./memberlist-source.ts";

const PATH = "/memberlist";
const FORM_BYTES_MAX = 64 * 1024;
/** Of a value, in the page; JSON has all of it. */
const VALUE_CHARACTERS_MAX = 100_000;
const MESSAGES_SHOWN = 200;

export function registerMemberlistPage(
  app: FastifyInstance,
  { frame, formKey }: FormPagesOptions,
  source: MemberlistPageSource,
): void {
  const guard = new FormGuard(formKey);
  app.get(PATH, (request, reply) => {
    const key = requestParameters(request).get("viewKey");
    if (wantsJson(request)) return sendJson(source, reply, key);
    return sendPage(reply, frame, {
      title: "Memberlist",
      body:
        key === null
          ? memberlistPage(source, requestParameters(request), guard)
          : valuePage(source, key),
      isLive: true,
      isWide: true,
    });
  });
  app.post(PATH, { bodyLimit: FORM_BYTES_MAX }, (request, reply) => {
    clearHistory(source, guard, request);
    if (wantsJson(request)) return reply.send({ cleared: "history" });
    return reply.redirect(`${frame.pathPrefix}${PATH}`, 302);
  });
}

/** `POST clear=history` */
function clearHistory(
  source: MemberlistPageSource,
  guard: FormGuard,
  request: FastifyRequest,
): void {
  guard.refuseCrossSite(request);
  const parameters = requestParameters(request);
  if (parameters.get("clear") !== "history") {
    throw new OpError("bad-request", "the form must say clear=history");
  }
  if (guard.isStale(request, parameters.get(TOKEN_FIELD), "memberlist", "clear")) {
    throw new OpError(
      "cross-site-request",
      "the page was out of date; nothing was done: load it again",
    );
  }
  source.clearHistory();
}

function sendJson(
  source: MemberlistPageSource,
  reply: FastifyReply,
  key: string | null,
): FastifyReply {
  if (key === null) return reply.send(memberlistJson(source));
  const value = source.valueOf(key);
  if (value === undefined) return reply.code(404).send({ error: `no such key: ${key}` });
  return reply.send({ key, value });
}

function memberlistJson(source: MemberlistPageSource): object {
  const status = source.status();
  return {
    now: rfc3339(status.nowMs),
    node: status.nodeName,
    address: status.address,
    cluster_label: status.clusterLabel,
    encrypted: status.isEncrypted,
    health_score: status.healthScore,
    queued_messages: status.queuedMessages,
    oldest_news_ms: status.oldestNewsMs ?? null,
    members: status.members.map((member) => ({
      name: member.name,
      address: member.address,
      state: member.status,
      meta: member.meta,
      incarnation: member.incarnation,
      state_for_ms: Math.round(member.statusForMs),
      round_trip_ms: member.roundTripMs ?? null,
      digests: member.digests === undefined ? null : Object.fromEntries(member.digests),
    })),
    keys: source.keys().map((key) => ({
      key: key.key,
      type: key.type,
      version: key.version,
      size_bytes: key.sizeBytes,
      tombstones: key.tombstones,
      updated: rfc3339(key.updatedAtMs),
      digest: key.digest,
    })),
    history: source.history().map((entry) => ({
      at: rfc3339(entry.atMs),
      direction: entry.direction,
      key: entry.key,
      type: entry.type,
      size_bytes: entry.value.length,
      news: entry.news,
    })),
  };
}

function memberlistPage(
  source: MemberlistPageSource,
  parameters: URLSearchParams,
  guard: FormGuard,
): Html {
  const status = source.status();
  const keys = source.keys();
  return html`<h1>Memberlist</h1>
<div class="grid">
${tile("This node", status.nodeName, status.address)}
${tile("Cluster label", status.clusterLabel, "Only nodes with the same label talk to each other")}
${tile("Messages", status.isEncrypted ? "encrypted" : "not encrypted", `${formatCount(status.queuedMessages)} wait to be told`)}
${tile("News", newsText(status.oldestNewsMs), "Age of the oldest news among live members; they say something every few seconds")}
${healthTile(status.healthScore)}
</div>
<section data-key="members"><h2>${membersTitle(status.members)}</h2>${sortedTable(status.members, {
    columns: memberColumns(status),
    rowKey: ({ name }) => name,
    parameters,
  })}</section>
<section data-key="keys"><h2>What all hold together</h2>${
    keys.length === 0
      ? html`<p class="soft">Nothing yet.</p>`
      : sortedTable(keys, {
          columns: keyColumns(status.nowMs),
          rowKey: ({ key }) => key,
          parameters,
        })
  }
${convergence(status, keys)}</section>
${messages(source.history(), guard)}`;
}

function tile(title: string, value: string, note: string, tone = ""): Html {
  return html`<section><div class="soft">${title}</div><div class="figure small ${tone}">${value}</div><div class="soft">${note}</div></section>`;
}

function healthTile(score: number): Html {
  if (score === 0) return tile("Health score", "0: well", "Probes are answered in time", "good");
  return tile(
    "Health score",
    `${score}: slow`,
    `This node misses answers or had to deny its own death: it may be short of CPU or network, and gives others ${score + 1} × the time`,
    "warn",
  );
}

function membersTitle(members: readonly MemberView[]): string {
  const alive = members.filter(({ status }) => status === "alive").length;
  return `${formatNumberOf(alive, "member is", "members are")} alive${alive < members.length ? `, of ${members.length} known` : ""}`;
}

const MEMBER_TONE: Readonly<Record<MemberView["status"], string>> = {
  alive: "good",
  suspect: "warn",
  dead: "bad",
  left: "soft",
};

function memberColumns(status: MemberlistStatus): Column<MemberView>[] {
  const metaKeys = [...new Set(status.members.flatMap(({ meta }) => Object.keys(meta)))].sort();
  return [
    {
      key: "name",
      title: "Member",
      sortBy: ({ name }) => name,
      cell: ({ name }) =>
        name === status.nodeName ? html`${name} <span class="soft">(this one)</span>` : name,
    },
    {
      key: "state",
      title: "State",
      sortBy: (member) => member.status,
      cell: (member) =>
        html`<span class="${MEMBER_TONE[member.status]}">${member.status}</span> <span class="soft">for ${formatDuration(member.statusForMs)}</span>`,
    },
    { key: "address", title: "Address", sortBy: (one) => one.address, cell: (one) => one.address },
    ...metaKeys.map(
      (key): Column<MemberView> => ({
        key: `meta-${key}`,
        title: `${key.slice(0, 1).toUpperCase()}${key.slice(1)}`,
        sortBy: ({ meta }) => meta[key] ?? "",
        cell: ({ meta }) => meta[key] ?? "",
      }),
    ),
    {
      key: "rtt",
      title: "Round trip",
      isNumber: true,
      sortBy: ({ roundTripMs }) => roundTripMs ?? -1,
      cell: ({ roundTripMs }) =>
        roundTripMs === undefined ? "–" : `${roundTripMs.toFixed(roundTripMs < 10 ? 1 : 0)} ms`,
    },
    {
      key: "incarnation",
      title: "Incarnation",
      isDetail: true,
      isNumber: true,
      sortBy: ({ incarnation }) => incarnation,
      cell: ({ incarnation }) => String(incarnation),
    },
  ];
}

function keyColumns(nowMs: number): Column<KeyStatus>[] {
  return [
    {
      key: "key",
      title: "Key",
      sortBy: ({ key }) => key,
      cell: ({ key }) =>
        html`<a href="?${new URLSearchParams({ viewKey: key }).toString()}">${key}</a>`,
    },
    { key: "type", title: "Type", sortBy: ({ type }) => type, cell: ({ type }) => type },
    {
      key: "version",
      title: "Version",
      isNumber: true,
      sortBy: ({ version }) => version,
      cell: ({ version }) => formatCount(version),
    },
    {
      key: "size",
      title: "Size",
      isNumber: true,
      sortBy: ({ sizeBytes }) => sizeBytes,
      cell: ({ sizeBytes }) => formatBytes(sizeBytes),
    },
    {
      key: "tombstones",
      title: "Tombstones",
      isDetail: true,
      isNumber: true,
      sortBy: ({ tombstones }) => tombstones,
      cell: ({ tombstones }) => formatCount(tombstones),
    },
    {
      key: "updated",
      title: "Updated",
      isNumber: true,
      sortBy: ({ updatedAtMs }) => updatedAtMs,
      cell: ({ updatedAtMs }) =>
        html`<span title="${formatTime(updatedAtMs)}">${formatDuration(nowMs - updatedAtMs)} ago</span>`,
    },
    {
      key: "digest",
      title: "Digest",
      isDetail: true,
      sortBy: ({ digest }) => digest,
      cell: ({ digest }) => html`<code>${hex(digest)}</code>`,
    },
  ];
}

function hex(digest: number): string {
  return (digest >>> 0).toString(16).padStart(8, "0");
}

/** Who holds the same, if that is known; what can be said, if not. */
function convergence(status: MemberlistStatus, keys: readonly KeyStatus[]): Html {
  const others = status.members.filter(
    (member) => member.status === "alive" && member.name !== status.nodeName,
  );
  if (others.length === 0) {
    return html`<p class="soft">There is no other member to agree with.</p>`;
  }
  const known = others.filter(({ digests }) => digests !== undefined);
  if (known.length === 0) {
    return html`<p class="soft">The digests of other members are not known here. Where this page of another member shows the same digest for a key, both hold the same; ${
      status.queuedMessages === 0
        ? "nothing that this one knows waits to be told."
        : `${formatNumberOf(status.queuedMessages, "message", "messages")} of this one wait to be told.`
    }</p>`;
  }
  const differing = known.flatMap(({ name, digests }) =>
    keys
      .filter(({ key, digest }) => digests?.get(key) !== digest)
      .map(({ key }) => html`<li>${name} holds something else under ${key}</li>`),
  );
  if (differing.length === 0) {
    return html`<p class="good">${known.length} of ${others.length} other members were heard of, and hold the same.</p>`;
  }
  return html`<p class="warn">Not all hold the same yet, as of what they told last:</p><ul>${differing}</ul>`;
}

const DIRECTIONS: Readonly<Record<HistoryEntry["direction"], string>> = {
  received: "received",
  "received-state": "received, whole state",
  sent: "sent",
};

function messages(history: readonly HistoryEntry[], guard: FormGuard): Html {
  const newest = history.slice(-MESSAGES_SHOWN).toReversed();
  if (newest.length === 0) {
    return html`<section data-key="messages"><h2>Messages</h2><p class="soft">None is remembered (-memberlist.message-history-buffer-bytes).</p></section>`;
  }
  return html`<section data-key="messages">
<form method="post" class="close"><input type="hidden" name="clear" value="history"><input type="hidden" name="${TOKEN_FIELD}" value="${guard.tokenFor("memberlist", "clear")}"><button class="button" type="submit">Clear</button></form>
<h2>Messages</h2>
<p class="soft">The last ${formatCount(newest.length)} of ${formatCount(history.length)} remembered, newest first.</p>
<div class="scroll"><table>
<tr><th>When</th><th>Way</th><th>Key</th><th class="number">Size</th><th>What was new</th></tr>
${newest.map(
  ({ atMs, direction, key, value, news }) =>
    html`<tr><td>${formatTime(atMs)}</td><td>${DIRECTIONS[direction]}</td><td>${key}</td><td class="number">${formatBytes(value.length)}</td><td class="long">${news.length === 0 ? html`<span class="soft">nothing</span>` : news.slice(0, 8).join(", ")}${news.length > 8 ? ` and ${news.length - 8} more` : undefined}</td></tr>
`,
)}</table></div></section>`;
}

function valuePage(source: MemberlistPageSource, key: string): Html {
  const value = source.valueOf(key);
  const title = html`<h1>${key}</h1><p><a href="?">Back to the memberlist</a></p>`;
  if (value === undefined) {
    return html`${title}<section class="notice">Nobody has written this key, or what it held was removed.</section>`;
  }
  const text = JSON.stringify(value, undefined, 2);
  const cut =
    text.length <= VALUE_CHARACTERS_MAX
      ? undefined
      : html`<p class="soft">Cut after ${formatCount(VALUE_CHARACTERS_MAX)} of ${formatCount(text.length)} characters; ask with <code>Accept: application/json</code> for all.</p>`;
  return html`${title}<section><pre>${text.slice(0, VALUE_CHARACTERS_MAX)}</pre>${cut}</section>`;
}

function newsText(oldestNewsMs: number | undefined): string {
  return oldestNewsMs === undefined ? "none yet" : `at most ${formatDuration(oldestNewsMs)} old`;
}
