/** Server's side of a stream of calls: each message is a call of the same route, answered in whatever order they finish. */
import { OpError } from "../../base/errors.ts";
import { tenantOf } from "./admit-caller.ts";
import { Outbox, type Socket } from "./outbox.ts";
import { GOING_AWAY } from "./protocol.ts";
import type { RpcAnswer } from "./rpc-route.ts";
import { MessageReader, messageHeader, type StreamMessage } from "./stream-message.ts";

export interface IncomingStreamDependencies {
  /** Takes room for a body, which `giveBack` ends; false if there is none, for the reason that `whyNoRoom` gives. */
  readonly take: (sizeBytes: number) => boolean;
  readonly whyNoRoom: (sizeBytes: number) => OpError;
  readonly giveBack: (sizeBytes: number) => void;
  /** Never rejects. */
  readonly answer: (tenant: string, body: Buffer) => Promise<StreamAnswer>;
  readonly refusal: (error: OpError) => StreamAnswer;
}

export interface StreamAnswer {
  readonly status: number;
  /** JSON. */
  readonly text: string;
}

const NO_BODY = new Uint8Array(0);

export class IncomingStream {
  readonly #deps: IncomingStreamDependencies;
  readonly #reader: MessageReader;
  readonly #outbox: Outbox;

  /** `head`: what came behind the request. */
  constructor(socket: Socket, head: Buffer, deps: IncomingStreamDependencies) {
    this.#deps = deps;
    this.#reader = new MessageReader(deps.take);
    this.#outbox = new Outbox(socket);
    socket.setTimeout(0);
    socket.on("data", (piece: Buffer) => this.#receive(piece));
    socket.on("end", () => socket.end());
    socket.on("error", () => undefined);
    socket.once("close", () => deps.giveBack(this.#reader.partialBytes));
    this.#receive(head);
  }

  /** Asks the caller to make no more calls here; it closes the stream when the last one is answered. */
  goAway(): void {
    this.#outbox.write(messageHeader({ call: 0, code: GOING_AWAY, name: "" }, 0), NO_BODY);
  }

  #receive(piece: Buffer): void {
    for (const message of this.#reader.read(piece)) void this.#serve(message);
  }

  async #serve({ call, name, body, sizeBytes }: StreamMessage): Promise<void> {
    const { answer, refusal, whyNoRoom, giveBack } = this.#deps;
    if (body === undefined) {
      this.#send(call, refusal(whyNoRoom(sizeBytes)));
      return;
    }
    const tenant = tenantOf(name);
    this.#send(call, tenant instanceof OpError ? refusal(tenant) : await answer(tenant, body));
    giveBack(sizeBytes);
  }

  #send(call: number, { status, text }: StreamAnswer): void {
    const body = text === "" ? NO_BODY : Buffer.from(text, "utf8");
    this.#outbox.write(messageHeader({ call, code: status, name: "" }, body.length), body);
  }
}

/** Series do not travel on streams: such an answer is for a request of its own. */
export function streamAnswer(answer: RpcAnswer): StreamAnswer {
  if (answer.kind === "done") return { status: 204, text: "" };
  if (answer.kind === "json") return { status: 200, text: answer.text };
  throw new OpError("rpc-malformed-request", "this call cannot be made on a stream");
}
