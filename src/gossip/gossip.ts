/**
 * A member of a gossip cluster that HashiCorp memberlist nodes can join: the state machine of membership/ on UDP and
 * TCP. This file moves bytes and keeps time; what they mean is decided in membership/ and codec/.
 */
import { assert, must } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import {
  addressText,
  type DatagramSocket,
  type Network,
  type NetworkAddress,
  type Stream,
  type StreamListener,
} from "../base/network.ts";
import type { Random } from "../base/random.ts";
import { tryHostToBytes } from "./codec/ip-address.ts";
import type { Message } from "./codec/messages.ts";
import { decodePacket, encodePacket } from "./codec/packet.ts";
import { ProtocolError } from "./codec/protocol-error.ts";
import { Security } from "./codec/security.ts";
import type { PushPull, StreamMessage } from "./codec/stream.ts";
import { resolveJoinAddress } from "./join-address.ts";
import type { Application } from "./membership/core.ts";
import type { Effect, MembershipEvent } from "./membership/events.ts";
import { addressOf, isGone, type Member } from "./membership/member.ts";
import { Membership } from "./membership/membership.ts";
import type { GossipMetrics } from "./metrics.ts";
import { type GossipOptions, META_BYTES_MAX } from "./options.ts";
import { Streams } from "./streams.ts";

/** What lives on gossip, as the key-value store does. None of these may throw. */
export interface GossipUser extends Application {
  /** All of it, for a push/pull. */
  localState(join: boolean): Uint8Array;
  mergeRemoteState(bytes: Uint8Array, join: boolean): void;
  receive(payload: Uint8Array): void;
}

export interface MemberChange {
  readonly type: "member-joined" | "member-updated" | "member-gone";
  readonly member: Member;
}

export interface JoinOutcome {
  /** How many members were reached. */
  readonly joined: number;
  readonly failures: readonly { readonly target: string; readonly reason: string }[];
}

export interface GossipCollaborators {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly logger: Logger;
  readonly metrics: GossipMetrics;
  readonly user: GossipUser;
}

/** A timer that fires so late tells that the process, or the machine, stood still. */
const LATE_MS = 250;
/** Then what waits in the sockets is read first: the silence was ours, not theirs. */
const CATCH_UP_MS = 20;
/** With port 0, the free TCP port may be taken on UDP. */
const BIND_ATTEMPTS = 10;

export class Gossip {
  readonly #options: GossipOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #network: Network;
  readonly #logger: Logger;
  readonly #metrics: GossipMetrics;
  readonly #user: GossipUser;
  readonly #security: Security;
  readonly #streams: Streams;
  readonly #listeners = new Set<(change: MemberChange) => void>();
  readonly #waiting = new Map<"leave" | "meta", () => void>();
  readonly #background = new Set<Promise<void>>();
  #membership: Membership | undefined;
  #datagrams: DatagramSocket | undefined;
  #listener: StreamListener | undefined;
  #timer: { readonly timer: Timer; readonly atMs: number } | undefined;
  #acceptedStreams = 0;
  #stopped = false;

  constructor(options: GossipOptions, collaborators: GossipCollaborators) {
    assert(options.nodeName !== "", "a gossip node has a name");
    assert(options.meta.length <= META_BYTES_MAX, "gossip metadata is too long");
    this.#options = options;
    this.#clock = collaborators.clock;
    this.#random = collaborators.random;
    this.#network = collaborators.network;
    this.#logger = collaborators.logger;
    this.#metrics = collaborators.metrics;
    this.#user = collaborators.user;
    const { keyring } = options;
    this.#security = new Security(
      {
        label: options.clusterLabel,
        acceptUnlabelled: options.acceptUnlabelled,
        verifyIncoming: options.verifyIncoming,
        verifyOutgoing: options.verifyOutgoing,
        encryptionVersion: 1,
        ...(keyring === undefined ? {} : { keyring }),
      },
      this.#random,
    );
    this.#streams = new Streams(
      { compress: options.compress, timeoutMs: options.streamTimeoutMs },
      { security: this.#security, network: this.#network, clock: this.#clock },
    );
  }

  /** Listens, and is a cluster of one. Rejects if the port cannot be opened or no address is known to give to others. */
  async start(): Promise<void> {
    const bound = await this.#listen();
    this.#membership = new Membership(
      {
        name: this.#options.nodeName,
        address: this.#advertised(bound),
        meta: this.#options.meta,
        packetOverheadBytes: this.#security.overheadBytes,
      },
      this.#options.membership,
      { random: this.#random, application: this.#user },
    );
    this.#step({ type: "start" });
  }

  async #listen(): Promise<NetworkAddress> {
    const { bind } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const listener = await this.#network.listen(bind, (stream) => this.#onStream(stream));
      try {
        this.#datagrams = await this.#network.bindDatagrams(listener.address, (bytes, from) =>
          this.#onDatagram(bytes, from),
        );
        this.#listener = listener;
        return listener.address;
      } catch (error) {
        await listener.close();
        if (bind.port !== 0 || attempt === BIND_ATTEMPTS) throw error;
      }
    }
  }

  #advertised(bound: NetworkAddress): NetworkAddress {
    const { advertise } = this.#options;
    const isAnyHost = bound.host === "0.0.0.0" || bound.host === "::";
    const own = isAnyHost ? this.#network.reachableHost() : bound.host;
    const host = advertise.host === "" ? own : advertise.host;
    if (host === undefined || tryHostToBytes(host) === undefined) {
      throw new Error(
        `gossip: no address to give to others (${host ?? "none found"}): set the address to advertise, an IP address`,
      );
    }
    return { host, port: advertise.port === 0 ? bound.port : advertise.port };
  }

  /**
   * Reaches the cluster through members that are there already; targets as in join-address.ts. One that answers is
   * enough to belong to it, the others make it certain that the cluster is one. Our own address, which every member's list may
   * hold, is passed over.
   */
  async join(targets: readonly string[]): Promise<JoinOutcome> {
    let joined = 0;
    const failures: { target: string; reason: string }[] = [];
    for (const target of targets) {
      try {
        const own = this.address;
        for (const to of await resolveJoinAddress(target, own.port, this.#network)) {
          if (addressText(to) === addressText(own)) continue;
          await this.#pushPull(to, true).then(
            () => joined++,
            (error: unknown) =>
              failures.push({ target: addressText(to), reason: errorMessage(error) }),
          );
        }
      } catch (error) {
        failures.push({ target, reason: errorMessage(error) });
      }
    }
    return { joined, failures };
  }

  /** Tells the others that we go, and waits until that is told or `timeoutMs` are over. `stop` comes after it. */
  async leave(timeoutMs: number): Promise<void> {
    await this.#announce("leave", { type: "leave" }, timeoutMs);
  }

  /** Gives everybody new metadata; waits as `leave` does. */
  async updateMeta(meta: Uint8Array, timeoutMs: number): Promise<void> {
    assert(meta.length <= META_BYTES_MAX, "gossip metadata is too long");
    await this.#announce("meta", { type: "update-meta", meta }, timeoutMs);
  }

  async #announce(
    what: "leave" | "meta",
    event: MembershipEvent,
    timeoutMs: number,
  ): Promise<void> {
    this.#step(event);
    const isAlone = this.members.every(
      (member) => member.name === this.#options.nodeName || isGone(member),
    );
    if (isAlone) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(timeoutMs, resolve);
      this.#waiting.set(what, () => {
        timer.cancel();
        resolve();
      });
    });
    this.#waiting.delete(what);
  }

  /** Closes all sockets. Without `leave` before it, the others have to find out. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#streams.closeAll();
    await this.#listener?.close();
    await this.#datagrams?.close();
    await Promise.all(this.#background);
  }

  /** Where others reach us. */
  get address(): NetworkAddress {
    return addressOf(must(this.#running.self, "we are a member of our own cluster"));
  }

  /** Copies, dead and left ones included as long as they are remembered. */
  get members(): Member[] {
    return this.#running.members;
  }

  get liveCount(): number {
    return this.#membership?.liveCount ?? 0;
  }

  /** 0: well. */
  get healthScore(): number {
    return this.#membership?.healthScore ?? 0;
  }

  get status() {
    const { members, healthScore, broadcastQueue } = this.#running;
    return {
      nodeName: this.#options.nodeName,
      clusterLabel: this.#options.clusterLabel,
      isEncrypted: this.#options.keyring !== undefined,
      address: this.address,
      healthScore,
      broadcastQueue,
      members,
    };
  }

  onMemberChange(listener: (change: MemberChange) => void): { cancel(): void } {
    this.#listeners.add(listener);
    return { cancel: () => this.#listeners.delete(listener) };
  }

  /** A user message to one member, by TCP: it arrives, or this rejects. */
  async sendReliably(to: NetworkAddress, payload: Uint8Array): Promise<void> {
    await this.#streams.tell(to, { type: "user", payload });
  }

  get #running(): Membership {
    return must(this.#membership, "gossip is used before it is started");
  }

  #step(event: MembershipEvent): readonly Effect[] {
    if (this.#stopped || this.#membership === undefined) return [];
    const effects = this.#membership.step(event, this.#clock.monotonicMs());
    for (const effect of effects) this.#perform(effect);
    this.#arm();
    return effects;
  }

  /** One timer, for whatever is due first. */
  #arm(): void {
    const nextMs = this.#membership?.nextWakeMs;
    if (nextMs === undefined || this.#stopped) return;
    // A timer that fires too early sets the next one itself.
    if (this.#timer !== undefined && this.#timer.atMs <= nextMs) return;
    this.#timer?.timer.cancel();
    // Whole milliseconds, up: a timer that fires a rounding error too early would fire again and again.
    const delayMs = Math.max(1, Math.ceil(nextMs - this.#clock.monotonicMs()));
    this.#timer = { timer: this.#clock.after(delayMs, () => this.#onTimer()), atMs: nextMs };
  }

  #onTimer(): void {
    const lateMs = this.#clock.monotonicMs() - (this.#timer?.atMs ?? 0);
    if (lateMs < LATE_MS) return this.#wake();
    this.#logger.warn({ lateMs }, "gossip stood still; what waits in its sockets is read first");
    const atMs = this.#clock.monotonicMs() + CATCH_UP_MS;
    this.#timer = { timer: this.#clock.after(CATCH_UP_MS, () => this.#wake()), atMs };
  }

  #wake(): void {
    this.#timer = undefined;
    this.#step({ type: "wake" });
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "send-packet":
        return this.#inBackground(this.#sendPacket(effect));
      case "stream-ping":
        return this.#inBackground(this.#streamPing(effect));
      case "push-pull":
        return this.#inBackground(this.#regularPushPull(effect));
      case "send-user-stream":
        return this.#inBackground(this.#sendUserStream(effect));
      case "user-message":
        return this.#user.receive(effect.payload);
      case "member-joined":
      case "member-updated":
      case "member-gone":
        return this.#tellChange(effect);
      case "announced":
        this.#waiting.get(effect.what)?.();
        return;
      case "merge-refused":
        this.#logger.warn({ reason: effect.reason }, "the state of another node was not merged");
        return;
      case "log":
        this.#logger[effect.level](effect.fields, effect.message);
        return;
    }
  }

  /** Nothing of these may reject; `stop` waits for them. */
  #inBackground(work: Promise<void>): void {
    this.#background.add(work);
    void work.finally(() => this.#background.delete(work));
  }

  #tellChange({ type, member }: MemberChange): void {
    const { name, status } = member;
    this.#logger.info({ node: name, status, address: addressText(member) }, type);
    for (const listener of this.#listeners) listener({ type, member });
  }

  async #sendPacket(effect: Extract<Effect, { type: "send-packet" }>): Promise<void> {
    const { compress } = this.#options;
    const bytes = encodePacket(
      effect.payload,
      { withCrc: effect.withCrc, compress },
      this.#security,
    );
    this.#metrics.packetsSent.inc();
    this.#metrics.packetsSentBytes.inc(bytes.length);
    const isSent = await this.#datagrams?.send(bytes, effect.to);
    if (isSent !== true) this.#metrics.packetsSentErrors.inc();
  }

  async #streamPing(effect: Extract<Effect, { type: "stream-ping" }>): Promise<void> {
    const { sequence } = effect.ping;
    let answered = false;
    try {
      const answer = await this.#streams.ask(effect.to, effect.ping, effect.timeoutMs);
      answered = answer.type === "ack" && answer.sequence === sequence;
    } catch (error) {
      this.#logger.debug({ err: error, to: addressText(effect.to) }, "a ping over TCP failed");
    }
    this.#step({ type: "stream-ping-result", sequence, answered });
  }

  async #regularPushPull({ to, node }: Extract<Effect, { type: "push-pull" }>): Promise<void> {
    try {
      await this.#pushPull(to, false);
    } catch (error) {
      this.#logger.warn({ reason: errorMessage(error), node }, "a push/pull failed");
    }
  }

  async #sendUserStream({ to, payload }: Extract<Effect, { type: "send-user-stream" }>) {
    try {
      await this.#streams.tell(to, { type: "user", payload });
    } catch (error) {
      this.#logger.debug({ err: error, to: addressText(to) }, "a large message was not delivered");
    }
  }

  async #pushPull(to: NetworkAddress, join: boolean): Promise<void> {
    const answer = await this.#streams.ask(to, this.#localState(join));
    if (answer.type !== "push-pull")
      throw new Error(`answered by a message of type ${answer.type}`);
    const refusal = this.#merge({ ...answer, join });
    if (refusal !== undefined) throw new Error(refusal);
  }

  #localState(join: boolean): PushPull {
    const userState = this.#user.localState(join);
    return { type: "push-pull", join, nodes: this.#running.localState, userState };
  }

  /** Why it was refused, if it was. */
  #merge({ nodes, userState, join }: PushPull): string | undefined {
    const effects = this.#step({ type: "remote-state", join, nodes });
    const refusal = effects.find((effect) => effect.type === "merge-refused");
    if (refusal !== undefined) return refusal.reason;
    if (userState.length > 0) this.#user.mergeRemoteState(userState, join);
    return undefined;
  }

  #onDatagram(bytes: Uint8Array, from: NetworkAddress): void {
    if (this.#membership === undefined || this.#stopped) return;
    this.#metrics.packetsReceived.inc();
    this.#metrics.packetsReceivedBytes.inc(bytes.length);
    for (const message of this.#decode(bytes, from)) this.#step({ type: "message", message, from });
  }

  #decode(bytes: Uint8Array, from: NetworkAddress): readonly Message[] {
    try {
      const { messages, malformed } = decodePacket(bytes, this.#security);
      for (const error of malformed) this.#reject("packet", error, from);
      return messages;
    } catch (error) {
      this.#reject("packet", error, from);
      return [];
    }
  }

  /** Garbage may come in any amount: it is counted, and in the log only for those who look for it. */
  #reject(transport: "packet" | "stream", error: unknown, from: NetworkAddress): void {
    if (!(error instanceof ProtocolError)) throw error;
    const { reason, message } = error;
    if (transport === "packet") this.#metrics.packetsReceivedErrors.inc();
    this.#metrics.rejected.inc({ transport, reason });
    this.#logger.debug({ from: addressText(from), reason: message }, `a ${transport} was refused`);
  }

  #onStream(stream: Stream): void {
    if (this.#membership === undefined || this.#stopped) return stream.close();
    if (this.#acceptedStreams >= this.#options.streamsMax) {
      this.#reject("stream", new ProtocolError("too-large", "too many streams"), stream.remote);
      return stream.close();
    }
    this.#acceptedStreams++;
    this.#inBackground(this.#serve(stream).finally(() => this.#acceptedStreams--));
  }

  async #serve(stream: Stream): Promise<void> {
    try {
      await this.#streams.serve(
        stream,
        (message) => this.#answer(message),
        (message) => {
          // After our answer: what we say of ourselves must not hold what we have just heard.
          if (message.type === "push-pull") this.#merge(message);
        },
      );
    } catch (error) {
      if (error instanceof ProtocolError) this.#reject("stream", error, stream.remote);
      else this.#logger.debug({ err: error, from: addressText(stream.remote) }, "a stream failed");
    }
  }

  #answer(message: StreamMessage): StreamMessage | undefined {
    switch (message.type) {
      case "push-pull":
        return this.#localState(message.join);
      case "ping": {
        const isForUs = message.node === "" || message.node === this.#options.nodeName;
        const { sequence } = message;
        return isForUs ? { type: "ack", sequence, payload: new Uint8Array() } : undefined;
      }
      case "user":
        this.#user.receive(message.payload);
        return undefined;
      case "ack":
      case "error":
        return undefined;
    }
  }
}
