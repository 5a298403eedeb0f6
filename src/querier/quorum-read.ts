/**
 * One question to as many units of a ring as an answer needs (ring/reads.ts says when it is enough).
 *
 *     ask as few units as suffice ──► all of them answered ──► enough: the rest is aborted
 *          │            ▲
 *          │            └── one more: a unit failed, or the hedging delay passed without an end
 *          └──► more failed than may ──► OpError "too-many-unhealthy-instances"
 *
 * An error that is about the request (a limit, a bad matcher) is the same everywhere and ends the read at once.
 */
import { BugError } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { errorMessage, OpError } from "../base/errors.ts";
import { answerFor } from "../http/errors.ts";
import { type ReadPlan, ReadQuorum } from "../ring/reads.ts";
import { describeMembers, type Member } from "../ring/ring-view.ts";
import type { AnswerTimes } from "./answer-times.ts";
import type { ReadUnit } from "./read-units.ts";

/** Asks one member; may end as soon as the signal aborts. */
export type Question<Answer> = (member: Member, signal: AbortSignal) => Promise<Answer>;

export interface ReadRequest<Answer> {
  readonly plan: ReadPlan;
  /** Of the plan, best first (read-units.ts). */
  readonly units: readonly ReadUnit[];
  readonly question: Question<Answer>;
}

/** Why a member was asked: with the first ones, because others were slow, because another failed. */
export type AskReason = "first" | "hedge" | "failure";

export interface QuorumReadOptions {
  /** One more unit is asked each time that this passes without an end. */
  readonly hedgingDelayMs: number;
  /** False: all units are asked at once. */
  readonly minimizeRequests: boolean;
}

export interface QuorumReadDependencies {
  readonly clock: Clock;
  readonly answerTimes: AnswerTimes;
  readonly asked: (reason: AskReason) => void;
}

interface Failure {
  readonly member: Member;
  readonly error: unknown;
}

const NOT_WAITED_FOR = new OpError("canceled", "the read has ended without this instance");

/** For one use. */
export class QuorumRead<Answer> {
  readonly #plan: ReadPlan;
  readonly #question: Question<Answer>;
  readonly #options: QuorumReadOptions;
  readonly #deps: QuorumReadDependencies;
  readonly #quorum: ReadQuorum;
  readonly #unasked: ReadUnit[];
  /** So many must be at work or done, as long as there are more. */
  readonly #unitsWanted: number;
  #unitsAsked = 0;
  readonly #failedUnits = new Set<ReadUnit>();
  /** When each was asked. */
  readonly #pending = new Map<Member, number>();
  readonly #answers = new Map<Member, Answer>();
  readonly #failures: Failure[] = [];
  readonly #requests = new AbortController();
  readonly #end = Promise.withResolvers<void>();
  #timer: Timer | undefined;

  constructor(
    { plan, units, question }: ReadRequest<Answer>,
    options: QuorumReadOptions,
    deps: QuorumReadDependencies,
  ) {
    this.#plan = plan;
    this.#question = question;
    this.#options = options;
    this.#deps = deps;
    // Somebody must answer. (Where fewer members are left than a write needs, all of them may be missing by the numbers.)
    const mayFail = Math.max(0, Math.min(plan.mayFail, units.length - 1));
    this.#quorum = new ReadQuorum({ ...plan, mayFail });
    this.#unasked = [...units];
    const needsAll = plan.lost.length > 0 || !options.minimizeRequests;
    this.#unitsWanted = needsAll ? units.length : units.length - mayFail;
  }

  /** Answers in the order of the plan. Rejects with the reason of the signal when that aborts. */
  async run(signal: AbortSignal | undefined): Promise<readonly Answer[]> {
    signal?.throwIfAborted();
    const stop = (): void => this.#end.reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      if (this.#quorum.verdict === "pending") this.#askWanted("first");
      this.#judge();
      await this.#end.promise;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#timer?.cancel();
      this.#giveUpPending();
    }
    return this.#plan.ask
      .filter((member) => this.#answers.has(member))
      .map((member) => this.#answers.get(member) as Answer);
  }

  /** Why the answer may be incomplete; undefined: it is not. */
  get doubt(): string | undefined {
    return this.#quorum.doubt;
  }

  #askWanted(reason: AskReason): void {
    while (this.#unitsAsked - this.#failedUnits.size < this.#unitsWanted) {
      if (!this.#askNext(reason)) return;
    }
  }

  #askNext(reason: AskReason): boolean {
    const unit = this.#unasked.shift();
    if (unit === undefined) return false;
    this.#unitsAsked++;
    for (const member of unit.members) {
      this.#deps.asked(reason);
      void this.#ask(member, unit);
    }
    this.#hedgeLater();
    return true;
  }

  #hedgeLater(): void {
    this.#timer?.cancel();
    if (this.#unasked.length === 0) return;
    const { hedgingDelayMs } = this.#options;
    this.#timer = this.#deps.clock.after(hedgingDelayMs, () => this.#askNext("hedge"));
  }

  async #ask(member: Member, unit: ReadUnit): Promise<void> {
    const { clock, answerTimes } = this.#deps;
    const { signal } = this.#requests;
    const startMs = clock.monotonicMs();
    this.#pending.set(member, startMs);
    try {
      const answer = await this.#question(member, signal);
      if (signal.aborted) return;
      answerTimes.answered(member.instance.id, clock.monotonicMs() - startMs);
      this.#answers.set(member, answer);
      this.#quorum.answered(member);
    } catch (error) {
      if (signal.aborted) return;
      this.#failed(member, unit, error);
    } finally {
      this.#pending.delete(member);
    }
    this.#judge();
  }

  #failed(member: Member, unit: ReadUnit, error: unknown): void {
    if (error instanceof BugError || isAboutRequest(error)) {
      this.#end.reject(error);
      return;
    }
    // As slow as one that was not waited for: whoever refuses quickly must not look quick.
    this.#deps.answerTimes.tookAtLeast(member.instance.id, this.#options.hedgingDelayMs);
    this.#failures.push({ member, error });
    this.#failedUnits.add(unit);
    this.#quorum.failed(member);
    if (this.#quorum.verdict === "pending") this.#askWanted("failure");
  }

  #judge(): void {
    const { verdict } = this.#quorum;
    if (verdict === "enough") this.#end.resolve();
    if (verdict === "failed") this.#end.reject(this.#error());
  }

  #giveUpPending(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [member, startMs] of this.#pending) {
      this.#deps.answerTimes.tookAtLeast(member.instance.id, nowMs - startMs);
    }
    this.#requests.abort(NOT_WAITED_FOR);
  }

  #error(): OpError {
    const { fault, ask, missing, byZone } = this.#plan;
    if (ask.length === 0 && missing.length === 0) {
      return new OpError("empty-ring", "empty ring: no ingester that may hold samples is in it");
    }
    if (fault !== undefined) return unhealthy(`${fault} - the answer would be incomplete`);
    const reasons = this.#failures.map(
      ({ member, error }) => `${describeMembers([member])}: ${publicText(error)}`,
    );
    if (missing.length > 0) reasons.push(`${describeMembers(missing)}: not asked`);
    return unhealthy(
      `too many unhealthy instances in the ring: the answer would be incomplete without these ${byZone ? "zones" : "instances"} - ${reasons.join("; ")}`,
      this.#failures.at(-1)?.error,
    );
  }
}

function unhealthy(message: string, cause?: unknown): OpError {
  return new OpError("too-many-unhealthy-instances", message, {}, { cause });
}

/** Not 401, 404, 421 or 429, which are between us and the ingester. */
const REQUEST_FAULTS: ReadonlySet<number> = new Set([400, 413, 422]);

function isAboutRequest(error: unknown): boolean {
  return error instanceof OpError && REQUEST_FAULTS.has(answerFor(error).status);
}

/** Texts of unknown errors may hold anything; they stand in the log, as the cause. */
function publicText(error: unknown): string {
  return error instanceof OpError ? errorMessage(error) : "internal error";
}
