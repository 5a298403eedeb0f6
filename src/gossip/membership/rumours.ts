/**
 * What is said about members, and what we make of it:
 *
 *   alive ──suspect──► suspect ──deadline──► dead ──┐
 *     │                   │                         ├─ remembered for gossipToDeadMs, then forgotten
 *     └──────dead by itself (it leaves)──────► left ┘
 *
 * An incarnation, which only the member itself raises, orders the rumours about it: alive beats anything older, suspect
 * and dead beat alive of the same incarnation. Whoever hears that it is suspected or dead itself refutes it with a
 * higher incarnation. News goes on to others, what is old does not: so each rumour ends.
 */

import { sameBytes } from "../codec/byte-writer.ts";
import type { Alive, Dead, Suspect } from "../codec/messages.ts";
import type { NodeState } from "../codec/node-state.ts";
import type { Appointment } from "./agenda.ts";
import type { Core, Task } from "./core.ts";
import { aliveMessage, isGone, type MemberRecord } from "./member.ts";
import { Suspicion, suspicionTimes } from "./suspicion.ts";
import { areSane, hasVersions, incompatibility, ownVersions } from "./versions.ts";

const INCARNATION_MAX = 0xffff_ffff;
const NO_VERSIONS = new Uint8Array(6);

interface RunningSuspicion {
  readonly suspicion: Suspicion;
  appointment: Appointment<Task>;
}

export class Rumours {
  readonly #core: Core;
  readonly #suspicions = new Map<string, RunningSuspicion>();
  #incarnation = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** We ourselves come to be. */
  begin(): void {
    const { name, address, meta } = this.#core.self;
    this.#acceptAlive({
      type: "alive",
      incarnation: this.#nextIncarnation(0),
      node: name,
      host: address.host,
      port: address.port,
      meta,
      versions: ownVersions(),
    });
  }

  updateMeta(meta: Uint8Array): void {
    const self = this.#core.members.get(this.#core.self.name);
    if (self === undefined || this.#core.hasLeft) return;
    self.meta = meta;
    self.incarnation = this.#nextIncarnation(self.incarnation);
    this.#core.broadcast(self.name, aliveMessage(self), () => {
      this.#core.emit({ type: "announced", what: "meta" });
    });
    this.#core.emit({ type: "member-updated", member: { ...self } });
  }

  leave(): void {
    const { members, self } = this.#core;
    const own = members.get(self.name);
    if (own === undefined || this.#core.hasLeft) return;
    this.#core.hasLeft = true;
    this.dead({ type: "dead", incarnation: own.incarnation, node: own.name, from: own.name });
  }

  alive(message: Alive): void {
    if (this.#isSelf(message.node)) this.#aliveAboutSelf(message);
    else this.#aliveAboutOther(message);
  }

  #aliveAboutOther(message: Alive): void {
    const core = this.#core;
    if (!this.#isAcceptable(message)) return;
    const known = core.members.get(message.node);
    if (known === undefined) {
      if (core.members.count >= core.options.membersMax) {
        core.log("warn", "too many members, one more is not taken", { node: message.node });
        return;
      }
    } else {
      const isMoved = known.host !== message.host || known.port !== message.port;
      if (isMoved && !this.#mayMove(known, message)) return;
      if (!isMoved && message.incarnation <= known.incarnation) return;
    }
    this.#acceptAlive(message);
  }

  #isAcceptable(message: Alive): boolean {
    if (message.node === "" || message.host === "" || message.port === 0) return false;
    if (areSane(message.versions)) return true;
    this.#core.log("warn", "an alive message with impossible protocol versions is ignored", {
      node: message.node,
      versions: [...message.versions],
    });
    return false;
  }

  /** A name belongs to its address until it has left, or has been dead for long enough. */
  #mayMove(known: MemberRecord, { host, port }: Alive): boolean {
    const { deadReclaimMs } = this.#core.options;
    const reclaimable =
      known.status === "left" ||
      (known.status === "dead" &&
        deadReclaimMs > 0 &&
        this.#core.nowMs - known.statusSinceMs > deadReclaimMs);
    this.#core.log(
      reclaimable ? "info" : "warn",
      reclaimable
        ? "a name that was gone is back at another address"
        : "two nodes claim the same name",
      { node: known.name, ours: `${known.host} ${known.port}`, theirs: `${host} ${port}` },
    );
    return reclaimable;
  }

  #acceptAlive(message: Alive): void {
    const { members } = this.#core;
    this.#endSuspicion(message.node);
    const known = members.get(message.node);
    const member = known ?? this.#newMember(message);
    const wasGone = isGone(member);
    const hadMeta = member.meta;
    member.incarnation = message.incarnation;
    member.host = message.host;
    member.port = message.port;
    member.meta = message.meta;
    if (hasVersions(message.versions)) member.versions = message.versions;
    if (member.status !== "alive") this.#setStatus(member, "alive");
    if (known === undefined) members.add(member);
    this.#core.broadcast(member.name, message);
    if (wasGone) this.#core.emit({ type: "member-joined", member: { ...member } });
    else if (!sameBytes(hadMeta, member.meta)) {
      this.#core.emit({ type: "member-updated", member: { ...member } });
    }
  }

  #newMember({ node, host, port, meta }: Alive): MemberRecord {
    return {
      name: node,
      host,
      port,
      meta,
      incarnation: 0,
      status: "dead",
      versions: NO_VERSIONS,
      statusSinceMs: this.#core.nowMs,
      roundTripMs: undefined,
    };
  }

  /** Others may hold something of an earlier life of ours for newer than what we say: then we say it anew. */
  #aliveAboutSelf(message: Alive): void {
    const core = this.#core;
    const self = core.members.get(core.self.name);
    if (self === undefined || core.hasLeft || !areSane(message.versions)) return;
    if (self.host !== message.host || self.port !== message.port) {
      core.log("warn", "another node claims our name", {
        theirs: `${message.host} ${message.port}`,
      });
      return;
    }
    if (message.incarnation < self.incarnation) return;
    const isSame =
      message.incarnation === self.incarnation &&
      sameBytes(message.meta, self.meta) &&
      sameBytes(message.versions, self.versions);
    if (!isSame) this.#refute(self, message.incarnation, "alive with other facts");
  }

  suspect(message: Suspect): void {
    const core = this.#core;
    const member = core.members.get(message.node);
    if (member === undefined || message.incarnation < member.incarnation) return;
    const running = this.#suspicions.get(member.name);
    if (running !== undefined) {
      // Independent suspicions travel on, so that everybody's deadline comes nearer.
      if (running.suspicion.confirm(message.from)) {
        running.appointment.cancelled = true;
        running.appointment = this.#schedule(running.suspicion, member.name);
        core.broadcast(member.name, message);
      }
      return;
    }
    if (member.status !== "alive") return;
    if (this.#isSelf(member.name)) {
      this.#refute(member, message.incarnation, `suspected by ${message.from}`);
      return;
    }
    core.broadcast(member.name, message);
    member.incarnation = message.incarnation;
    this.#setStatus(member, "suspect");
    const times = suspicionTimes(core.members.count, core.options);
    const suspicion = new Suspicion(message.from, times, core.nowMs);
    const appointment = this.#schedule(suspicion, member.name);
    this.#suspicions.set(member.name, { suspicion, appointment });
    core.log("info", "a member does not answer and is suspected", {
      node: member.name,
      by: message.from,
    });
  }

  #schedule(suspicion: Suspicion, node: string): Appointment<Task> {
    return this.#core.agenda.add(suspicion.deadlineMs, { type: "suspicion", node });
  }

  /** The suspect has not defended itself in time. */
  suspicionEnds(node: string): void {
    const running = this.#suspicions.get(node);
    const member = this.#core.members.get(node);
    if (running === undefined || member === undefined) return;
    this.#core.log("info", "a suspect has not answered in time and is taken for dead", {
      node,
      confirmations: running.suspicion.confirmations,
    });
    const { incarnation } = member;
    this.dead({ type: "dead", incarnation, node, from: this.#core.self.name });
  }

  dead(message: Dead): void {
    const core = this.#core;
    const member = core.members.get(message.node);
    if (member === undefined || message.incarnation < member.incarnation) return;
    this.#endSuspicion(member.name);
    if (isGone(member)) return;
    const isSelf = this.#isSelf(member.name);
    if (isSelf && !core.hasLeft) {
      this.#refute(member, message.incarnation, `taken for dead by ${message.from}`);
      return;
    }
    core.broadcast(member.name, message, isSelf ? () => this.#leaveAnnounced() : undefined);
    member.incarnation = message.incarnation;
    this.#setStatus(member, message.node === message.from ? "left" : "dead");
    core.emit({ type: "member-gone", member: { ...member } });
  }

  #leaveAnnounced(): void {
    this.#core.emit({ type: "announced", what: "leave" });
  }

  /** All that another node knows. Its dead are only suspects to us: they may be alive on our side of the network. */
  merge(nodes: readonly NodeState[]): void {
    const refusal = incompatibility(this.#core.members.all, nodes);
    if (refusal !== undefined) {
      this.#core.emit({ type: "merge-refused", reason: refusal });
      return;
    }
    for (const node of nodes) this.#mergeNode(node);
  }

  #mergeNode(node: NodeState): void {
    const { name, incarnation } = node;
    switch (node.status) {
      case "alive":
        return this.alive(aliveMessage(node));
      case "left":
        return this.dead({ type: "dead", incarnation, node: name, from: name });
      case "dead":
      case "suspect":
        return this.suspect({
          type: "suspect",
          incarnation,
          node: name,
          from: this.#core.self.name,
        });
    }
  }

  #refute(self: MemberRecord, accused: number, why: string): void {
    self.incarnation = this.#nextIncarnation(accused);
    this.#core.awareness.apply(1);
    this.#core.broadcast(self.name, aliveMessage(self));
    this.#core.log("warn", "a rumour about us is refuted", { why });
  }

  #nextIncarnation(above: number): number {
    this.#incarnation = Math.min(Math.max(this.#incarnation, above) + 1, INCARNATION_MAX);
    return this.#incarnation;
  }

  #setStatus(member: MemberRecord, status: MemberRecord["status"]): void {
    member.status = status;
    member.statusSinceMs = this.#core.nowMs;
  }

  #endSuspicion(node: string): void {
    const running = this.#suspicions.get(node);
    if (running === undefined) return;
    running.appointment.cancelled = true;
    this.#suspicions.delete(node);
  }

  #isSelf(node: string): boolean {
    return node === this.#core.self.name;
  }
}
