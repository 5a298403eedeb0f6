/**
 * SWIM with Lifeguard, as HashiCorp's memberlist speaks it: which members there are, which of them answer, and gossip
 * to tell everybody. A pure state machine: `step` takes an event and the time and gives effects; there is no socket,
 * no timer, and all chance is injected. `nextWakeMs` says when time alone will have an effect.
 *
 * The SWIM paper: Das, Gupta, Motivala 2002. Lifeguard: Dadgar, Phillips, Currey 2017.
 */
import type { NetworkAddress } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { Message } from "../codec/messages.ts";
import type { NodeState } from "../codec/node-state.ts";
import { type Application, Core, type SelfOptions, type Task } from "./core.ts";
import type { Effect, MembershipEvent } from "./events.ts";
import { addressOf, isGone, type Member, type MemberRecord } from "./member.ts";
import type { MembershipOptions } from "./options.ts";
import { Prober } from "./prober.ts";
import { Rumours } from "./rumours.ts";

/** Above this many members, whole exchanges get rarer: each costs as much as there are members. */
const PUSH_PULL_SCALE_THRESHOLD = 32;

export class Membership {
  readonly #core: Core;
  readonly #rumours: Rumours;
  readonly #prober: Prober;

  constructor(
    self: SelfOptions,
    options: MembershipOptions,
    collaborators: { readonly random: Random; readonly application: Application },
  ) {
    this.#core = new Core(self, options, collaborators);
    this.#rumours = new Rumours(this.#core);
    this.#prober = new Prober(this.#core, this.#rumours);
  }

  /** `nowMs` never goes back. What comes in is taken before what is due: an answer beats its deadline. */
  step(event: MembershipEvent, nowMs: number): Effect[] {
    this.#core.nowMs = nowMs;
    this.#handle(event);
    for (;;) {
      const task = this.#core.agenda.takeDue(nowMs);
      if (task === undefined) break;
      this.#perform(task);
    }
    return this.#core.takeEffects();
  }

  /** When `step` with "wake" has something to do. */
  get nextWakeMs(): number | undefined {
    return this.#core.agenda.nextMs;
  }

  /** Copies; dead and left ones included as long as they are remembered. */
  get members(): Member[] {
    return this.#core.members.all.map((member) => ({ ...member }));
  }

  get self(): Member | undefined {
    return this.member(this.#core.self.name);
  }

  member(name: string): Member | undefined {
    const member = this.#core.members.get(name);
    return member === undefined ? undefined : { ...member };
  }

  /** Alive or suspect, we ourselves included. */
  get liveCount(): number {
    return this.#core.members.all.reduce((count, member) => count + (isGone(member) ? 0 : 1), 0);
  }

  /** 0: well. */
  get healthScore(): number {
    return this.#core.awareness.score;
  }

  get broadcastQueue(): { length: number; sizeBytes: number; dropped: number } {
    const { length, sizeBytes, dropped } = this.#core.broadcasts;
    return { length, sizeBytes, dropped };
  }

  /** What a push/pull tells the other side. */
  get localState(): NodeState[] {
    return this.members;
  }

  #handle(event: MembershipEvent): void {
    switch (event.type) {
      case "start":
        return this.#start();
      case "wake":
        return;
      case "message":
        return this.#message(event.message, event.from);
      case "stream-ping-result":
        return this.#prober.streamPingResult(event.sequence, event.answered);
      case "remote-state":
        return this.#rumours.merge(event.nodes);
      case "update-meta":
        return this.#rumours.updateMeta(event.meta);
      case "leave":
        return this.#rumours.leave();
    }
  }

  #start(): void {
    this.#rumours.begin();
    const { probeIntervalMs, gossipIntervalMs, pushPullIntervalMs } = this.#core.options;
    // Nodes that start together must not tick together.
    this.#tickAgain("probe-tick", probeIntervalMs * (1 + this.#core.random.float()));
    this.#tickAgain("gossip-tick", gossipIntervalMs * (1 + this.#core.random.float()));
    this.#tickAgain("push-pull-tick", pushPullIntervalMs * (1 + this.#core.random.float()));
  }

  #tickAgain(type: "probe-tick" | "gossip-tick" | "push-pull-tick", afterMs: number): void {
    this.#core.agenda.add(this.#core.nowMs + afterMs, { type });
  }

  #message(message: Message, from: NetworkAddress): void {
    switch (message.type) {
      case "ping":
        return this.#prober.ping(message, from);
      case "indirect-ping":
        return this.#prober.indirectPing(message, from);
      case "ack":
        return this.#prober.ack(message);
      case "nack":
        return this.#prober.nack(message);
      case "suspect":
        return this.#rumours.suspect(message);
      case "alive":
        return this.#rumours.alive(message);
      case "dead":
        return this.#rumours.dead(message);
      case "user":
        return this.#core.emit({ type: "user-message", payload: message.payload });
    }
  }

  #perform(task: Task): void {
    const { options } = this.#core;
    switch (task.type) {
      case "probe-tick":
        // The probe first: if it fails, its deadline comes before the next tick of the same time.
        this.#prober.tick();
        return this.#tickAgain("probe-tick", options.probeIntervalMs);
      case "gossip-tick":
        this.#gossip();
        return this.#tickAgain("gossip-tick", options.gossipIntervalMs);
      case "push-pull-tick":
        this.#pushPull();
        return this.#tickAgain("push-pull-tick", this.#pushPullIntervalMs());
      case "probe-timeout":
        return this.#prober.timeout(task.sequence);
      case "probe-deadline":
        return this.#prober.deadline(task.sequence);
      case "relay-timeout":
        return this.#prober.relayTimeout(task.sequence);
      case "suspicion":
        return this.#rumours.suspicionEnds(task.node);
    }
  }

  #gossip(): void {
    const { members, receiversWanted } = this.#core;
    this.#core.gossipTo(members.pick(receiversWanted, (member) => this.#hearsGossip(member)));
  }

  /** The newly dead too: if they are not, they can say so. */
  #hearsGossip(member: MemberRecord): boolean {
    const { nowMs, options, self } = this.#core;
    if (member.name === self.name || member.status === "left") return false;
    return member.status !== "dead" || nowMs - member.statusSinceMs <= options.gossipToDeadMs;
  }

  #pushPull(): void {
    const { members, self } = this.#core;
    const [partner] = members.pick(
      1,
      ({ name, status }) => status === "alive" && name !== self.name,
    );
    if (partner === undefined) return;
    this.#core.emit({ type: "push-pull", to: addressOf(partner), node: partner.name });
  }

  #pushPullIntervalMs(): number {
    const { members, options } = this.#core;
    const excess = Math.log2(Math.max(1, members.count) / PUSH_PULL_SCALE_THRESHOLD);
    return options.pushPullIntervalMs * (excess <= 0 ? 1 : Math.ceil(excess) + 1);
  }
}
