/** Taking an instance out of the ring by hand: the page that asks, and the answer to what it sends. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../../base/errors.ts";
import { wantsJson } from "../../http/accept.ts";
import { requestParameters } from "../../http/parameters.ts";
import type { InstanceStatus, RingStatus } from "../../ring/status.ts";
import { type FormGuard, TOKEN_FIELD } from "../form-guard.ts";
import { formatDuration, formatSome } from "../format.ts";
import { type Html, html } from "../html.ts";
import { type PageFrame, sendPage } from "../layout.ts";
import { impactList, impactOf } from "./ring-impact.ts";
import { ringKind } from "./ring-kind.ts";
import type { RingPageSource } from "./ring-source.ts";
import { stateBadge } from "./ring-state.ts";

export interface ForgetContext {
  readonly frame: PageFrame;
  readonly guard: FormGuard;
  /** Without the path prefix: "/ingester/ring". */
  readonly path: string;
  readonly source: RingPageSource;
}

interface Question {
  readonly status: RingStatus;
  readonly instance: InstanceStatus;
  /** Why it takes more than one click; one sentence each. */
  readonly doubts: readonly string[];
}

/** `GET ?forget=ID` */
export function askForget(context: ForgetContext, reply: FastifyReply, id: string): FastifyReply {
  return sendQuestion(context, reply, questionOf(context.source, id));
}

/** `POST forget=ID[&confirm=yes|force=true]` */
export function answerForget(
  context: ForgetContext,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { guard, source } = context;
  guard.refuseCrossSite(request);
  const parameters = requestParameters(request);
  const id = parameters.get("forget") ?? "";
  if (id === "") throw new OpError("bad-request", "forget=<instance id> is missing in the form");
  const question = questionOf(source, id);
  if (guard.isStale(request, parameters.get(TOKEN_FIELD), source.name, id)) {
    const notice = "The page was out of date; nothing was done. Please confirm once more.";
    return sendQuestion(context, reply.code(403), question, notice);
  }
  const isSure = parameters.get("force") === "true" || parameters.get("confirm") === "yes";
  if (question.doubts.length > 0 && !isSure) {
    const reason = `${id} was not forgotten: ${question.doubts.join(" ")}`;
    if (isBrowser(request)) return sendQuestion(context, reply.code(409), question, reason);
    throw new OpError("forget-refused", `${reason} Send force=true with it to do it all the same.`);
  }
  if (source.forget(id) === "unknown") throw unknownInstance(source, source.status(), id);
  if (wantsJson(request)) return reply.send({ forgotten: id });
  return reply.redirect(`${context.frame.pathPrefix}${context.path}`, 302);
}

function isBrowser(request: FastifyRequest): boolean {
  return !wantsJson(request) && (request.headers.accept ?? "").includes("text/html");
}

function questionOf(source: RingPageSource, id: string): Question {
  const status = source.status();
  const instance = status.instances.find((candidate) => candidate.id === id);
  if (instance === undefined) throw unknownInstance(source, status, id);
  const reason = impactOf(ringKind(source.name), source, id)?.reasonToKeep;
  return {
    status,
    instance,
    doubts: [
      ...(instance.isAlive
        ? [
            `it is alive (heartbeat ${formatDuration(instance.heartbeatAgeMs)} ago) and would be back with its next heartbeat.`,
          ]
        : []),
      ...(reason === undefined ? [] : [`${reason}.`]),
    ],
  };
}

export function unknownInstance(
  { name }: RingPageSource,
  { instances }: RingStatus,
  id: string,
): OpError {
  const known =
    instances.length === 0
      ? "it is empty"
      : `it has ${formatSome(
          instances.map((instance) => instance.id),
          20,
        )}`;
  return new OpError("ring-instance-unknown", `no instance ${id} in ring ${name}: ${known}`);
}

function sendQuestion(
  context: ForgetContext,
  reply: FastifyReply,
  question: Question,
  notice?: string,
): FastifyReply {
  const { id } = question.instance;
  return sendPage(reply, context.frame, {
    title: `Forget ${id}`,
    body: questionPage(context, question, notice),
  });
}

function questionPage(
  { frame, guard, path, source }: ForgetContext,
  { status, instance, doubts }: Question,
  notice: string | undefined,
): Html {
  const kind = ringKind(source.name);
  const { id } = instance;
  const back = `${frame.pathPrefix}${path}`;
  return html`<h1>Forget ${id}?</h1>
${notice === undefined ? undefined : html`<section class="notice" role="alert">${notice}</section>`}
<section>
<p>${stateBadge(instance)} at ${instance.address}, last heard of ${formatDuration(instance.heartbeatAgeMs)} ago.
It is taken out of the ring of all members, and its part of the keys goes to its neighbours. Nothing on its disk is touched.</p>
${instance.isAlive ? html`<p class="warn"><b>It is alive.</b> It will be back with its next heartbeat, with the same tokens. To take it out, stop it: it leaves by itself.</p>` : undefined}
<h2>Without it</h2>
${impactList(kind, status, impactOf(kind, source, id))}
</section>
<section>
<form method="post" action="${back}">
<input type="hidden" name="forget" value="${id}"><input type="hidden" name="${TOKEN_FIELD}" value="${guard.tokenFor(source.name, id)}">
${
  doubts.length === 0
    ? undefined
    : html`<p><label><input type="checkbox" name="confirm" value="yes" required> ${instance.isAlive ? "I know that it is alive" : "I know what is lost with it"}: forget it all the same</label></p>`
}
<button type="submit" class="button danger">Forget ${id}</button>
<a class="button" href="${back}">Cancel</a>
</form>
</section>`;
}
