/**
 * The ingesters of a ring behind one Queryable. A request goes to as many of the tenant's shard as an answer needs, and what
 * they answer is merged, so that every sample that was acknowledged at quorum is in it (quorum-read.ts).
 */
import type { Clock } from "../base/clock.ts";
import { answerFor } from "../http/errors.ts";
import type { Labels } from "../model/labels.ts";
import type { LimitsSource } from "../model/limits.ts";
import { planReads } from "../ring/reads.ts";
import type { Member, RingView } from "../ring/ring-view.ts";
import type { ShardRequest } from "../ring/shuffle-shard.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import type {
  LabelsRequest,
  Queryable,
  SelectRequest,
  SeriesRequest,
} from "../storage/queryable.ts";
import { AnswerTimes } from "./answer-times.ts";
import { mergeLabelSets, mergeSelected, mergeTexts, withEveryLabel } from "./merge-answers.ts";
import type { IngesterReadMetrics } from "./metrics.ts";
import { QuorumRead, type QuorumReadOptions } from "./quorum-read.ts";
import { readUnits } from "./read-units.ts";

export interface IngesterQueryableOptions extends QuorumReadOptions {
  /** False: all ingesters are asked, not those of the tenant's shard. */
  readonly shuffleShardingEnabled: boolean;
  /**
   * How long ingesters keep samples that are nowhere else: who was in the tenant's shard since then is asked. A tenant's
   * query_ingesters_within can only lengthen it.
   */
  readonly lookBackMs: number;
  /** An ingester in this process, and the zone of this process: preferred. "": none. */
  readonly localInstanceId: string;
  readonly localZone: string;
}

export const INGESTER_QUERYABLE_DEFAULTS: IngesterQueryableOptions = {
  shuffleShardingEnabled: true,
  lookBackMs: 13 * 3600_000,
  // Mimir waits 3 s, which whoever looks at a dashboard takes for a failure. A select takes an ingester milliseconds; only a
  // sick or a frozen one, or a very heavy query, needs half a second, and what a hedge costs is one more of these.
  hedgingDelayMs: 500,
  minimizeRequests: true,
  localInstanceId: "",
  localZone: "",
};

export interface IngesterQueryableDependencies {
  readonly ring: { shard(request: ShardRequest): RingView };
  /** Called for each request; throwing counts as a failure of the member. */
  readonly clientFor: (member: Member) => Queryable;
  readonly limits: LimitsSource;
  readonly clock: Clock;
  readonly metrics: IngesterReadMetrics;
}

interface Read {
  readonly tenant: string;
  /** As Mimir calls it, for the metric. */
  readonly method: string;
  readonly signal: AbortSignal | undefined;
}

interface Answers<Answer> {
  readonly answers: readonly Answer[];
  /** There is one ingester, so nothing has a replica. */
  readonly isAlone: boolean;
  /** Why the answer may be incomplete. */
  readonly doubt: string | undefined;
}

/** `isAlone`: no other ingester will be asked the same. */
type Question<Answer> = (
  source: Queryable,
  signal: AbortSignal,
  isAlone: boolean,
) => Promise<Answer>;

export class IngesterQueryable implements Queryable {
  readonly #options: IngesterQueryableOptions;
  readonly #deps: IngesterQueryableDependencies;
  readonly #answerTimes: AnswerTimes;

  constructor(
    options: Partial<IngesterQueryableOptions>,
    dependencies: IngesterQueryableDependencies,
  ) {
    this.#options = { ...INGESTER_QUERYABLE_DEFAULTS, ...options };
    this.#deps = dependencies;
    this.#answerTimes = new AnswerTimes(dependencies.clock);
  }

  async select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    const everyLabel = withEveryLabel(request);
    const read = { tenant, method: "Distributor.QueryStream", signal: request.signal };
    const { answers, isAlone, doubt } = await this.#read(read, (source, signal, alone) =>
      source.select(tenant, { ...(alone ? request : everyLabel), signal }),
    );
    const [only] = answers;
    const set = isAlone && only !== undefined ? only : mergeSelected(answers, request.limits);
    return doubt === undefined ? set : { ...set, warnings: [doubt] };
  }

  async labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    const read = { tenant, method: "Distributor.LabelNames", signal: request.signal };
    const { answers } = await this.#read(read, (source, signal) =>
      source.labelNames(tenant, { ...request, signal }),
    );
    return mergeTexts(answers, request);
  }

  async labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    const read = { tenant, method: "Distributor.LabelValues", signal: request.signal };
    const { answers } = await this.#read(read, (source, signal) =>
      source.labelValues(tenant, name, { ...request, signal }),
    );
    return mergeTexts(answers, request);
  }

  async series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    const read = { tenant, method: "Distributor.MetricsForLabelMatchers", signal: request.signal };
    const { answers } = await this.#read(read, (source, signal) =>
      source.series(tenant, { ...request, signal }),
    );
    return mergeLabelSets(answers, request);
  }

  async #read<Answer>(
    { tenant, method, signal }: Read,
    question: Question<Answer>,
  ): Promise<Answers<Answer>> {
    const { clock, clientFor, metrics } = this.#deps;
    const startMs = clock.monotonicMs();
    let status = 200;
    try {
      const { view, sinceMs } = this.#shardOf(tenant);
      const plan = planReads(view, sinceMs);
      const units = readUnits(plan, {
        isLocal: (member) => this.#isLocal(member),
        expectedMs: (instanceId) => this.#answerTimes.expectedMs(instanceId),
        // Who hung or failed is at this for one half-life of the averages: about a minute.
        slowMs: this.#options.hedgingDelayMs / 2,
      });
      const isAlone = units.length === 1 && units[0]?.members.length === 1;
      const ask = (member: Member, ending: AbortSignal): Promise<Answer> =>
        question(clientFor(member), ending, isAlone);
      const read = new QuorumRead({ plan, units, question: ask }, this.#options, {
        clock,
        answerTimes: this.#answerTimes,
        asked: (reason) => metrics.requests.inc({ reason }),
      });
      const answers = await read.run(signal);
      return { answers, isAlone, doubt: read.doubt };
    } catch (error) {
      ({ status } = answerFor(error));
      throw error;
    } finally {
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      metrics.readDuration.observe({ method, status_code: String(status) }, seconds);
    }
  }

  #shardOf(tenant: string): { readonly view: RingView; readonly sinceMs: number } {
    const { shuffleShardingEnabled, lookBackMs: keptMs } = this.#options;
    const { ingestionTenantShardSize, queryIngestersWithinMs } =
      this.#deps.limits.forTenant(tenant);
    const nowMs = this.#deps.clock.nowMs();
    const lookBackMs = Math.max(keptMs, queryIngestersWithinMs);
    const view = this.#deps.ring.shard({
      tenant,
      size: shuffleShardingEnabled ? ingestionTenantShardSize : 0,
      lookBack: { nowMs, lookBackMs },
    });
    return { view, sinceMs: nowMs - lookBackMs };
  }

  #isLocal({ instance }: Member): boolean {
    const { localInstanceId, localZone } = this.#options;
    if (localInstanceId !== "" && instance.id === localInstanceId) return true;
    return localZone !== "" && instance.zone === localZone;
  }
}
