/**
 * `muninn tool ring evict`: takes an instance out of a ring that will not come back.
 *
 *     check     known, at the given address, silent, and nothing falls below quorum without it (or --force)
 *     forget    asked of the first member that answers, which tells the others by gossip
 *     wait      until each member that was named no longer shows it, or the timeout is over
 */

import type { Clock } from "../../../base/clock.ts";
import { errorMessage } from "../../../base/errors.ts";
import { closest } from "../../../config/key-table.ts";
import { CommandError, type CommandMachine, EXIT, type ExitCode } from "../../command.ts";
import { age, harmless, some } from "../table.ts";
import { hasLoss, quorumLines } from "./quorum-text.ts";
import type { RingArguments } from "./ring-arguments.ts";
import { type RingClient, readFirst } from "./ring-client.ts";
import type { RingInstance, RingPage } from "./ring-page.ts";

const POLL_PERIOD_MS = 500;

export async function evict(
  ringArguments: RingArguments,
  machine: CommandMachine,
): Promise<ExitCode> {
  const { clients, force, dryRun, json } = ringArguments;
  const id = ringArguments.instanceId;
  if (id === undefined) throw new CommandError("evict needs --instance-id=ID");
  const say = json ? machine.err : machine.out;
  const { client, page: before } = await readFirst(clients);
  const instance = findInstance(before, id, client);
  const page = await client.read({ without: id });
  const objections = objectionsTo(instance, page, ringArguments);
  say(descriptionOf(instance));
  for (const line of impactLines(page)) say(`  ${line}`);
  const report = (outcome: string): void => {
    if (json) machine.out(JSON.stringify({ instance: id, outcome, objections }));
  };
  for (const objection of objections) say(`${force ? "forced" : "refused"}: ${objection}`);
  if (objections.length > 0 && !force) {
    say("Nothing was changed. --force does it all the same.");
    report("refused");
    return EXIT.refused;
  }
  if (dryRun) {
    say(`dry run: ${harmless(id)} would be taken out of the ring; nothing was changed`);
    report("dry-run");
    return EXIT.ok;
  }
  const answer = await client.forget(id, force);
  if (answer.kind === "refused") {
    say(`refused by ${client.url}: ${harmless(answer.message)}`);
    report("refused");
    return EXIT.refused;
  }
  const isGone = await waitUntilGone(id, ringArguments, machine.clock, say);
  if (isGone && instance.isAlive) {
    say(
      `${harmless(id)} is alive: it registers again with its next heartbeat unless it is stopped`,
    );
  }
  report(isGone ? "evicted" : "not-confirmed");
  return isGone ? EXIT.ok : EXIT.refused;
}

function findInstance(page: RingPage, id: string, { url }: RingClient): RingInstance {
  const instance = page.instances.find((other) => other.id === id);
  if (instance !== undefined) return instance;
  const ids = page.instances.map((other) => other.id);
  const near = closest(id, ids);
  const hint = near === undefined ? "" : `; did you mean ${harmless(near)}?`;
  const known = ids.length === 0 ? "the ring is empty" : `it has ${some(ids, 20)}`;
  throw new CommandError(
    `no instance ${harmless(id)} in the ring that ${url} sees${hint} (${known})`,
  );
}

function objectionsTo(
  instance: RingInstance,
  { impact }: RingPage,
  { ring, address }: RingArguments,
): string[] {
  if (address !== undefined && address !== instance.address) {
    throw new CommandError(
      `${harmless(instance.id)} is at ${harmless(instance.address)}, and not at ${address}: nothing was changed. (--address is the instance's own address, as \`muninn tool ring list\` shows it; the member to talk to is --url.)`,
    );
  }
  const objections: string[] = [];
  if (instance.isAlive) {
    objections.push(
      `${harmless(instance.id)} is alive (${harmless(instance.state)}, last heartbeat ${age(instance.heartbeatAgeMs)} ago): it would come back by itself. Stop it first; one that was stopped cleanly with \`-ingester.ring.unregister-on-shutdown\` or after \`/ingester/prepare-shutdown\` needs no eviction`,
    );
  }
  if (ring !== "ingester") return objections;
  if (impact === undefined) {
    objections.push("this member does not say what that would do to quorum");
  } else if (impact.reasonToKeep !== undefined) {
    objections.push(harmless(impact.reasonToKeep));
  } else if (hasLoss(impact.writes) || hasLoss(impact.reads)) {
    objections.push("quorum would suffer");
  }
  return objections;
}

function descriptionOf(instance: RingInstance): string {
  const zone = instance.zone === "" ? "" : ` in zone ${instance.zone}`;
  return harmless(
    `${instance.id}: ${instance.state} at ${instance.address}${zone}, last heartbeat ${age(instance.heartbeatAgeMs)} ago, ${instance.tokenCount} tokens`,
  );
}

function impactLines({ quorum, impact }: RingPage): string[] {
  const now = quorum === undefined ? [] : quorumLines(quorum).map((line) => `now,        ${line}`);
  const then = impact === undefined ? [] : quorumLines(impact).map((line) => `without it, ${line}`);
  return [...now, ...then];
}

async function waitUntilGone(
  id: string,
  { clients, timeoutMs }: RingArguments,
  clock: Clock,
  say: (line: string) => void,
): Promise<boolean> {
  const untilMs = clock.monotonicMs() + timeoutMs;
  let waiting = clients.map((client) => ({ client, why: "" }));
  for (;;) {
    const asked = waiting.map(async ({ client }) => ({
      client,
      why: await whyNotGone(client, id),
    }));
    waiting = (await Promise.all(asked)).filter(({ why }) => why !== "");
    if (waiting.length === 0) {
      say(
        `${harmless(id)} is out of the ring, as ${clients.map(({ url }) => url).join(", ")} see it`,
      );
      return true;
    }
    if (clock.monotonicMs() >= untilMs) break;
    await new Promise<void>((resolve) => clock.after(POLL_PERIOD_MS, resolve));
  }
  say(`forgotten, but not everywhere after ${age(timeoutMs)}:`);
  for (const { client, why } of waiting) say(`  ${client.url}: ${why}`);
  return false;
}

/** Empty: it is gone there. */
async function whyNotGone(client: RingClient, id: string): Promise<string> {
  try {
    const { instances } = await client.read();
    const found = instances.find((other) => other.id === id);
    if (found === undefined || found.state === "LEFT") return "";
    return `still shows it (${harmless(found.state)}, last heartbeat ${age(found.heartbeatAgeMs)} ago)`;
  } catch (error) {
    return harmless(errorMessage(error));
  }
}
