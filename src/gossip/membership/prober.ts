/**
 * Failure detection. One probe at a time:
 *
 *   ping ──ack──► well
 *     │ probeTimeoutMs
 *     ▼
 *   ask others to ping it, and ping it over TCP ──ack──► well
 *     │ the probe interval is over (longer if we doubt ourselves)
 *     ▼
 *   suspect
 *
 * Those who were asked and get no answer either say so (nack): if their nacks do not come, it may be us who is deaf.
 * The other half answers: pings for us, and pings that others ask us to make (relays).
 */
import { addressText, type NetworkAddress } from "../../base/network.ts";
import {
  type Ack,
  encodeMessage,
  type IndirectPing,
  type Nack,
  type Ping,
} from "../codec/messages.ts";
import type { Appointment } from "./agenda.ts";
import type { Core, Task } from "./core.ts";
import { addressOf, isGone, type MemberRecord, protocolMax } from "./member.ts";
import type { Rumours } from "./rumours.ts";
import { PROTOCOL_NACK, PROTOCOL_STREAM_PING } from "./versions.ts";

interface Probe {
  readonly ping: Ping;
  readonly node: string;
  readonly to: NetworkAddress;
  /** What the member had when the probe began: a refutation that comes meanwhile has a higher one. */
  readonly incarnation: number;
  readonly protocolMax: number;
  readonly sentMs: number;
  readonly deadlineMs: number;
  readonly appointments: readonly Appointment<Task>[];
  asksOthers: boolean;
  nacksExpected: number;
  nacks: number;
  answersOverStream: boolean;
}

interface Relay {
  readonly request: IndirectPing;
  readonly answerTo: NetworkAddress;
  readonly appointment: Appointment<Task>;
}

const NO_PAYLOAD = new Uint8Array();

export class Prober {
  readonly #core: Core;
  readonly #rumours: Rumours;
  readonly #relays = new Map<number, Relay>();
  #probe: Probe | undefined;

  constructor(core: Core, rumours: Rumours) {
    this.#core = core;
    this.#rumours = rumours;
  }

  /** Begins the next probe, unless one is still under way because we doubt ourselves. */
  tick(): void {
    if (this.#probe !== undefined) return;
    const { members, options, self, nowMs } = this.#core;
    const member = members.nextToProbe(
      (candidate) => candidate.name !== self.name && !isGone(candidate),
      nowMs - options.gossipToDeadMs,
    );
    if (member !== undefined) this.#begin(member);
  }

  #begin(member: MemberRecord): void {
    const { agenda, awareness, options, nowMs } = this.#core;
    const ping = this.#newPing(member.name);
    const deadlineMs = nowMs + awareness.scale(options.probeIntervalMs);
    const { sequence } = ping;
    this.#probe = {
      ping,
      node: member.name,
      to: addressOf(member),
      incarnation: member.incarnation,
      protocolMax: protocolMax(member),
      sentMs: nowMs,
      deadlineMs,
      appointments: [
        agenda.add(nowMs + options.probeTimeoutMs, { type: "probe-timeout", sequence }),
        agenda.add(deadlineMs, { type: "probe-deadline", sequence }),
      ],
      asksOthers: false,
      nacksExpected: 0,
      nacks: 0,
      answersOverStream: false,
    };
    if (member.status === "alive") this.#core.send(member, ping);
    else {
      // A suspect is told so: it has the best chance to refute it now.
      const { name: node, incarnation } = member;
      const from = this.#core.self.name;
      const accusation = encodeMessage({ type: "suspect", incarnation, node, from });
      this.#core.sendExactly(member, [encodeMessage(ping), accusation]);
    }
  }

  #newPing(node: string): Ping {
    const { self } = this.#core;
    return {
      type: "ping",
      sequence: this.#core.nextSequence(),
      node,
      sourceHost: self.address.host,
      sourcePort: self.address.port,
      sourceNode: self.name,
    };
  }

  timeout(sequence: number): void {
    const probe = this.#probe;
    if (probe?.ping.sequence !== sequence) return;
    probe.asksOthers = true;
    const { members, options, self } = this.#core;
    const helpers = members.pick(
      options.indirectChecks,
      ({ name, status }) => status === "alive" && name !== self.name && name !== probe.node,
    );
    for (const helper of helpers) this.#ask(helper, probe);
    if (options.streamPings && probe.protocolMax >= PROTOCOL_STREAM_PING) {
      const timeoutMs = Math.max(0, probe.deadlineMs - this.#core.nowMs);
      this.#core.emit({ type: "stream-ping", to: probe.to, ping: probe.ping, timeoutMs });
    }
  }

  #ask(helper: MemberRecord, probe: Probe): void {
    const wantsNack = protocolMax(helper) >= PROTOCOL_NACK;
    if (wantsNack) probe.nacksExpected++;
    this.#core.send(helper, {
      ...probe.ping,
      type: "indirect-ping",
      targetHost: probe.to.host,
      targetPort: probe.to.port,
      wantsNack,
    });
  }

  streamPingResult(sequence: number, answered: boolean): void {
    if (this.#probe?.ping.sequence === sequence) this.#probe.answersOverStream = answered;
  }

  ack({ sequence }: Ack): void {
    const probe = this.#probe;
    if (probe?.ping.sequence === sequence) {
      const member = this.#core.members.get(probe.node);
      if (member !== undefined && !probe.asksOthers) {
        member.roundTripMs = this.#core.nowMs - probe.sentMs;
      }
      this.#end(probe, -1);
      return;
    }
    const relay = this.#relays.get(sequence);
    if (relay === undefined) return;
    relay.appointment.cancelled = true;
    this.#relays.delete(sequence);
    const answer: Ack = { type: "ack", sequence: relay.request.sequence, payload: NO_PAYLOAD };
    this.#core.send(relay.answerTo, answer);
  }

  nack({ sequence }: Nack): void {
    if (this.#probe?.ping.sequence === sequence) this.#probe.nacks++;
  }

  deadline(sequence: number): void {
    const probe = this.#probe;
    if (probe?.ping.sequence !== sequence) return;
    const { node, to, incarnation } = probe;
    if (probe.answersOverStream) {
      this.#core.log("warn", "a member answers over TCP but not over UDP", {
        node,
        address: addressText(to),
      });
      this.#end(probe, -1);
      return;
    }
    const isOurFault = probe.nacksExpected === 0 ? 1 : probe.nacksExpected - probe.nacks;
    this.#end(probe, Math.max(0, isOurFault));
    const from = this.#core.self.name;
    this.#rumours.suspect({ type: "suspect", incarnation, node, from });
  }

  #end(probe: Probe, awarenessDelta: number): void {
    for (const appointment of probe.appointments) appointment.cancelled = true;
    this.#probe = undefined;
    this.#core.awareness.apply(awarenessDelta);
  }

  /** Somebody probes us. */
  ping(message: Ping, from: NetworkAddress): void {
    if (message.node !== "" && message.node !== this.#core.self.name) {
      this.#core.log("debug", "a ping for another node", {
        node: message.node,
        from: addressText(from),
      });
      return;
    }
    const answer: Ack = { type: "ack", sequence: message.sequence, payload: NO_PAYLOAD };
    this.#core.send(sourceOf(message, from), answer);
  }

  /** Somebody asks us to probe another. */
  indirectPing(request: IndirectPing, from: NetworkAddress): void {
    const { agenda, options, nowMs } = this.#core;
    if (request.targetHost === "" || this.#relays.size >= options.relaysMax) return;
    const ping = this.#newPing(request.node);
    const { sequence } = ping;
    const appointment = agenda.add(nowMs + options.probeTimeoutMs, {
      type: "relay-timeout",
      sequence,
    });
    this.#relays.set(sequence, { request, answerTo: sourceOf(request, from), appointment });
    const port = request.targetPort === 0 ? this.#core.self.address.port : request.targetPort;
    this.#core.send({ host: request.targetHost, port }, ping);
  }

  relayTimeout(sequence: number): void {
    const relay = this.#relays.get(sequence);
    if (relay === undefined) return;
    this.#relays.delete(sequence);
    if (!relay.request.wantsNack) return;
    this.#core.send(relay.answerTo, { type: "nack", sequence: relay.request.sequence });
  }
}

function sourceOf({ sourceHost, sourcePort }: Ping | IndirectPing, from: NetworkAddress) {
  return sourceHost !== "" && sourcePort > 0 ? { host: sourceHost, port: sourcePort } : from;
}
