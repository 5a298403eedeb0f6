/**
 * What holds the members of a cluster together: gossip, and the key-value store on it. A process that is alone has the
 * same store without gossip, so rings work the same in it.
 */
import { createHash } from "node:crypto";
import type { Timer } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import { addressText } from "../base/network.ts";
import { isClusterMember } from "../config/cluster-checks.ts";
import type { Config } from "../config/config.ts";
import { Keyring } from "../gossip/codec/keyring.ts";
import { Gossip, type JoinOutcome } from "../gossip/gossip.ts";
import { KvStore } from "../gossip/kv/kv-store.ts";
import { newKvMetrics } from "../gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../gossip/kv/options.ts";
import type { ValueType } from "../gossip/kv/value-type.ts";
import type { Member } from "../gossip/membership/member.ts";
import { newGossipMetrics } from "../gossip/metrics.ts";
import { GOSSIP_DEFAULTS, type GossipOptions } from "../gossip/options.ts";
import type { Context } from "./module.ts";

/** How long a change that others must know of is given to reach them. */
const TELL_TIMEOUT_MS = 3_000;
/**
 * So long a starting process looks for somebody who knows the cluster before it goes on as its first member. Whoever goes on
 * with half of the ring would answer queries with half of the samples.
 */
const FIRST_MEMBER_AFTER_MS = 10_000;
/** If all that it was told of answer and none of them knows more, it waits so long for others to make themselves heard. */
const NEW_CLUSTER_AFTER_MS = 2_000;

export class Cluster {
  readonly store: KvStore;
  /** Undefined in a process that is alone. */
  readonly gossip: Gossip | undefined;
  readonly label: string;
  readonly #config: Config["memberlist"];
  readonly #context: Context;
  #rejoin: Timer | undefined;
  #backoffMs: number;
  #isStopped = false;

  constructor(context: Context, types: readonly ValueType<unknown>[]) {
    const { config, machine, registry } = context;
    this.#context = context;
    this.#config = config.memberlist;
    this.#backoffMs = config.memberlist.minJoinBackoffMs;
    this.label = clusterLabel(config, context.explicit);
    const isMember = isClusterMember(config, (yaml) => context.explicit.has(yaml));
    const logger = machine.logger.child({ component: "gossip" });
    this.store = new KvStore(
      {
        ...KV_DEFAULTS,
        retransmitMultiplier: config.memberlist.retransmitFactor,
        tombstoneAgeMs: config.memberlist.leftIngestersTimeoutMs,
        historyBytesMax: config.memberlist.messageHistoryBufferBytes,
      },
      {
        clock: machine.clock,
        metrics: newKvMetrics(registry, () => this.store.metricsState),
        types,
      },
    );
    this.gossip = isMember
      ? new Gossip(gossipOptions(context, this.label), {
          ...machine,
          logger,
          metrics: newGossipMetrics(registry, () => this.gossip ?? NOBODY),
          user: this.store,
        })
      : undefined;
  }

  /** This process is the whole cluster, and needs neither ports nor replicas. */
  get isAlone(): boolean {
    return this.gossip === undefined;
  }

  /** Resolves when the other members have been told of our changes, or cannot be told soon. */
  readonly told = async (): Promise<void> => {
    if (this.gossip === undefined || this.gossip.liveCount < 2) return;
    await this.store.waitUntilSent(TELL_TIMEOUT_MS);
  };

  /** Listens, and asks those of `join_members` that answer for what they know. */
  async start(): Promise<void> {
    const { gossip } = this;
    if (gossip === undefined) return;
    const { logger } = this.#context.machine;
    try {
      await gossip.start();
    } catch (error) {
      const where = `${this.#config.bindAddr}:${this.#config.bindPort}`;
      throw cannotGossip(error, where);
    }
    logger.info(
      { address: addressText(gossip.address), node: gossip.status.nodeName, label: this.label },
      "gossip is listening",
    );
    const hasTargets = this.#config.joinMembers.length > 0;
    const isKnown = hasTargets && (await this.#learnTheRest(gossip));
    void gossip.updateMeta(metaOf(this.#context.config, true), TELL_TIMEOUT_MS);
    if (hasTargets) this.#rejoinLater(!isKnown);
  }

  /**
   * An exchange with one who knows the cluster, tried until it succeeds or it is clear that there is none. Two that have just
   * started know nothing that they could tell each other, so members say of themselves when they are settled.
   */
  async #learnTheRest(gossip: Gossip): Promise<boolean> {
    const { clock, logger } = this.#context.machine;
    const { joinMembers, abortIfClusterJoinFails, minJoinBackoffMs } = this.#config;
    const beganMs = clock.monotonicMs();
    for (;;) {
      const outcome = await gossip.join([...joinMembers, ...addressesOf(others(gossip))]);
      if (await this.#hasAskedSettledMember(gossip)) {
        const { joined, failures } = outcome;
        logger.info({ joined, failed: failures.length }, "joined the gossip cluster");
        return true;
      }
      const isAnsweredByAll = outcome.failures.length === 0;
      // There is nobody else in the list.
      if ((isAnsweredByAll && outcome.joined === 0) || this.#isStopped) return false;
      const passedMs = clock.monotonicMs() - beganMs;
      if (isAnsweredByAll && passedMs >= NEW_CLUSTER_AFTER_MS) {
        logger.info({ joined: outcome.joined }, "joined a gossip cluster that is new");
        return true;
      }
      const waitMs = Math.min(minJoinBackoffMs, 500);
      if (passedMs + waitMs > FIRST_MEMBER_AFTER_MS) {
        if (outcome.joined === 0 && abortIfClusterJoinFails) throw joinFailed(outcome);
        logger.warn(
          { joined: outcome.joined, reasons: failuresText(outcome) },
          "no member that knows the cluster answers yet; this process goes on and asks again (normal for the first ones)",
        );
        return outcome.joined > 0;
      }
      await new Promise<void>((resolve) => void clock.after(waitMs, resolve));
    }
  }

  async #hasAskedSettledMember(gossip: Gossip): Promise<boolean> {
    for (const member of others(gossip)) {
      if (metaTexts(member.meta)["settled"] !== "yes") continue;
      if ((await gossip.join(addressesOf([member]))).joined > 0) return true;
    }
    return false;
  }

  /** Tells the others that this member goes. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#rejoin?.cancel();
    if (this.gossip === undefined) return;
    await this.gossip.leave(Math.min(this.#config.leaveTimeoutMs, TELL_TIMEOUT_MS));
    await this.gossip.stop();
  }

  /** Soon and ever later as long as nobody has answered; then now and then, so that a cluster cut in two becomes one. */
  #rejoinLater(isAlone: boolean): void {
    const { rejoinIntervalMs, maxJoinBackoffMs, minJoinBackoffMs } = this.#config;
    if (this.#isStopped || (!isAlone && rejoinIntervalMs === 0)) return;
    const delayMs = isAlone ? this.#backoffMs : rejoinIntervalMs;
    this.#backoffMs = isAlone ? Math.min(2 * this.#backoffMs, maxJoinBackoffMs) : minJoinBackoffMs;
    this.#rejoin = this.#context.machine.clock.after(delayMs, () => void this.#joinAgain());
  }

  async #joinAgain(): Promise<void> {
    if (this.#isStopped || this.gossip === undefined) return;
    const missing = this.#missingMembers(this.gossip);
    if (missing.length > 0) await this.gossip.join(missing);
    this.#rejoinLater(this.gossip.liveCount < 2);
  }

  /** Targets at addresses where no live member is known. */
  #missingMembers(gossip: Gossip): string[] {
    const live = new Set(addressesOf(others(gossip)));
    return this.#config.joinMembers.filter((target) => {
      const address = target.includes(":") ? target : `${target}:${this.#config.bindPort}`;
      return gossip.liveCount < 2 || !live.has(address);
    });
  }
}

/** The live ones, as far as they are known. */
function others(gossip: Gossip): readonly Member[] {
  const own = gossip.status.nodeName;
  return gossip.members.filter(({ status, name }) => status === "alive" && name !== own);
}

function addressesOf(members: readonly Member[]): string[] {
  return members.map((member) => addressText(member));
}

function joinFailed(outcome: JoinOutcome): OpError {
  return new OpError(
    "join-failed",
    `no member of the cluster answers: ${failuresText(outcome)}; see -memberlist.join (with -memberlist.abort-if-cluster-join-fails=false the process starts all the same and goes on asking)`,
  );
}

const NOBODY = { liveCount: 0, healthScore: 0 };

function failuresText({ failures }: JoinOutcome): string {
  return failures.map(({ target, reason }) => `${target}: ${reason}`).join("; ");
}

function cannotGossip(error: unknown, where: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code !== "EADDRINUSE" && code !== "EADDRNOTAVAIL" && code !== "EACCES") return error;
  return new OpError(
    "listen-failed",
    `cannot listen for gossip on ${where} (${code}); see -memberlist.bind-addr and -memberlist.bind-port`,
    {},
    { cause: error },
  );
}

function gossipOptions({ config, machine }: Context, label: string): GossipOptions {
  const { memberlist } = config;
  const name = memberlist.nodeName === "" ? machine.hostName : memberlist.nodeName;
  const isRandom = memberlist.nodeName === "" && memberlist.randomizeNodeName;
  const suffix = isRandom ? `-${machine.random.uint32().toString(16).padStart(8, "0")}` : "";
  const [primary, ...others] = memberlist.encryptionKeys.map((key) => Buffer.from(key, "base64"));
  return {
    ...GOSSIP_DEFAULTS,
    nodeName: name + suffix,
    meta: metaOf(config, false),
    clusterLabel: label,
    acceptUnlabelled: memberlist.clusterLabelVerificationDisabled,
    bind: { host: memberlist.bindAddr, port: memberlist.bindPort },
    advertise: { host: memberlist.advertiseAddr, port: memberlist.advertisePort },
    keyring: primary === undefined ? undefined : new Keyring(primary, others),
    compress: memberlist.compressionEnabled,
    streamTimeoutMs: memberlist.streamTimeoutMs,
    membership: {
      ...GOSSIP_DEFAULTS.membership,
      gossipIntervalMs: memberlist.gossipIntervalMs,
      gossipNodes: memberlist.gossipNodes,
      pushPullIntervalMs: memberlist.pullPushIntervalMs,
      retransmitMultiplier: memberlist.retransmitFactor,
    },
  };
}

/** What members tell of themselves: to people, and to those who start. */
function metaOf({ target, ring }: Config, isSettled: boolean): Uint8Array {
  const zone = ring.instanceAvailabilityZone;
  const texts = {
    role: target.join(","),
    ...(zone === "" ? {} : { zone }),
    ...(isSettled ? { settled: "yes" } : {}),
  };
  return new TextEncoder().encode(JSON.stringify(texts));
}

/** Of any member: what is not of this kind, as that of other programs, gives nothing. */
export function metaTexts(meta: Uint8Array): Readonly<Record<string, string>> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(meta));
    if (typeof parsed !== "object" || parsed === null) return {};
    return Object.fromEntries(
      Object.entries(parsed).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      ),
    );
  } catch {
    return {};
  }
}

/** Members that share a bucket share the label; a local directory that nobody named is not shared by anybody. */
export function clusterLabel(
  { memberlist, storage }: Config,
  explicit: ReadonlySet<string>,
): string {
  if (memberlist.clusterLabel !== "") return memberlist.clusterLabel;
  const isShared = explicit.has("blocks_storage.filesystem.dir");
  const place =
    storage.backend === "s3"
      ? ["s3", storage.s3.endpoint, storage.s3.bucketName]
      : [storage.backend, isShared ? storage.filesystem.dir : ""];
  place.push(storage.storagePrefix);
  const hash = createHash("sha256").update(JSON.stringify(place)).digest("hex").slice(0, 12);
  return `muninn-${hash}`;
}
