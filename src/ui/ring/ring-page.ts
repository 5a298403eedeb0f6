/** A ring as a page, as JSON, and the form that forgets an instance. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../../base/errors.ts";
import { wantsJson } from "../../http/accept.ts";
import { answerFor } from "../../http/errors.ts";
import { requestParameters } from "../../http/parameters.ts";
import type { RingStatus } from "../../ring/status.ts";
import { FormGuard } from "../form-guard.ts";
import { type Html, html } from "../html.ts";
import { type PageFrame, sendPage } from "../layout.ts";
import { answerForget, askForget, type ForgetContext, unknownInstance } from "./ring-forget.ts";
import { impactOf, instancePanel } from "./ring-impact.ts";
import { ringJson } from "./ring-json.ts";
import { ringKind } from "./ring-kind.ts";
import { ringNotices } from "./ring-notices.ts";
import { ringOverview } from "./ring-overview.ts";
import { type RingPageSource, ringPaths } from "./ring-source.ts";
import { ringTable } from "./ring-table.ts";
import { ringVerdict, TONE_MARK, type Verdict } from "./ring-verdict.ts";

export interface FormPagesOptions {
  readonly frame: PageFrame;
  /** Secret of the forms, see FormGuard. */
  readonly formKey: Uint8Array;
}

const FORM_BYTES_MAX = 64 * 1024;

export function registerRingPage(
  app: FastifyInstance,
  { frame, formKey }: FormPagesOptions,
  source: RingPageSource,
): void {
  const guard = new FormGuard(formKey);
  for (const path of ringPaths(source.name)) {
    const context: ForgetContext = { frame, guard, path, source };
    app.get(path, (request, reply) =>
      inItsForm(request, reply, () => show(context, request, reply)),
    );
    app.post(path, { bodyLimit: FORM_BYTES_MAX }, (request, reply) =>
      inItsForm(request, reply, () => answerForget(context, request, reply)),
    );
  }
}

/** What goes wrong is `{"error": …}` for a program that asks for JSON. */
function inItsForm(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: () => FastifyReply,
): FastifyReply {
  try {
    return answer();
  } catch (error) {
    if (!(error instanceof OpError) || !wantsJson(request)) throw error;
    const { status, message } = answerFor(error);
    return reply.code(status).send({ error: message });
  }
}

function show(context: ForgetContext, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { frame, source } = context;
  const parameters = requestParameters(request);
  const forget = parameters.get("forget");
  if (forget !== null && !wantsJson(request)) return askForget(context, reply, forget);
  const status = source.status();
  const without = parameters.get("without") ?? undefined;
  const isKnown = status.instances.some(({ id }) => id === without);
  if (wantsJson(request)) {
    if (without !== undefined && !isKnown) throw unknownInstance(source, status, without);
    const impact =
      without === undefined ? undefined : impactOf(ringKind(source.name), source, without);
    return reply.send(
      ringJson(source, status, { tokens: parameters.get("tokens") === "true", impact }),
    );
  }
  if (without !== undefined && !isKnown) void reply.code(404);
  return sendPage(reply, frame, {
    title: ringKind(source.name).title,
    body: ringPage(source, status, parameters),
    isLive: true,
    isWide: true,
    scripts: ["ring.js"],
  });
}

function ringPage(source: RingPageSource, status: RingStatus, parameters: URLSearchParams): Html {
  const kind = ringKind(source.name);
  const without = parameters.get("without");
  const closeLink = new URLSearchParams(parameters);
  closeLink.delete("without");
  return html`<h1>${kind.title}</h1>
<p class="soft" data-key="purpose">${kind.purpose}</p>
${verdictCard(ringVerdict(source.name, status))}
${ringNotices(status).map((notice) => html`<section class="notice" data-key="${notice}">${notice}</section>`)}
${status.instances.length === 0 ? undefined : ringOverview(source, status)}
${
  without === null
    ? undefined
    : instancePanel(kind, source, { status, id: without, closeLink: `?${closeLink.toString()}` })
}
${status.instances.length === 0 ? undefined : html`<section data-key="table">${ringTable(status, parameters)}</section>`}
${parameters.get("tokens") === "true" ? tokenLists(source, status) : undefined}
<p class="soft" data-key="more">${status.instances.some(({ tokenCount }) => tokenCount > 0) ? html`<a href="?tokens=true">All tokens</a>. ` : undefined}For programs: this address with <code>Accept: application/json</code>.</p>`;
}

function verdictCard({ tone, title, facts, advice }: Verdict): Html {
  return html`<section class="verdict ${tone}" role="status" data-key="verdict">
<span class="tone" aria-hidden="true">${TONE_MARK[tone]}</span>
<div><h2>${title}</h2>
${facts.map((fact) => html`<p>${fact}</p>`)}
${advice.length === 0 ? undefined : html`<p class="advice"><b>What to do</b></p><ul>${advice.map((text) => html`<li>${text}</li>`)}</ul>`}</div>
</section>`;
}

function tokenLists(source: RingPageSource, { instances }: RingStatus): Html {
  return html`<section data-key="tokens"><h2>Tokens</h2>${instances.map(
    ({ id }) =>
      html`<details data-key="${id}"><summary>${id}</summary><p class="tokens">${source.tokensOf(id).join(" ")}</p></details>`,
  )}</section>`;
}
