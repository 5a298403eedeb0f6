/** Conversations over TCP: one message in each direction, under a deadline. */
import type { Clock } from "../base/clock.ts";
import type { Network, NetworkAddress, Stream } from "../base/network.ts";
import { concatBytes } from "./codec/byte-writer.ts";
import { ProtocolError } from "./codec/protocol-error.ts";
import type { Security } from "./codec/security.ts";
import { encodeStreamMessage, StreamDecoder, type StreamMessage } from "./codec/stream.ts";

export interface StreamsOptions {
  readonly compress: boolean;
  readonly timeoutMs: number;
}

/** What the accepting side says; undefined: nothing. */
export type Answer = (message: StreamMessage) => StreamMessage | undefined;

export class Streams {
  readonly #options: StreamsOptions;
  readonly #security: Security;
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #open = new Set<Stream>();

  constructor(
    options: StreamsOptions,
    collaborators: {
      readonly security: Security;
      readonly network: Network;
      readonly clock: Clock;
    },
  ) {
    this.#options = options;
    this.#security = collaborators.security;
    this.#network = collaborators.network;
    this.#clock = collaborators.clock;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Says something and waits for the answer. */
  async ask(
    to: NetworkAddress,
    message: StreamMessage,
    timeoutMs = this.#options.timeoutMs,
  ): Promise<StreamMessage> {
    return await this.#dial(to, timeoutMs, async (stream) => {
      await stream.write(this.#opening(message));
      const decoder = new StreamDecoder(this.#security, { expectsLabel: false });
      const answer = await readMessage(stream, decoder);
      if (answer === undefined) throw new ProtocolError("incomplete", "no answer came in time");
      if (answer.type === "error") throw new Error(`the other side says: ${answer.message}`);
      return answer;
    });
  }

  /** Says something; resolves when it was sent. */
  async tell(to: NetworkAddress, message: StreamMessage): Promise<void> {
    await this.#dial(to, this.#options.timeoutMs, async (stream) => {
      await stream.write(this.#opening(message));
    });
  }

  /**
   * Reads what an accepted stream says, then answers. `answer` is called once, for a whole message of this cluster;
   * `done` after the answer has been sent. Rejects with a ProtocolError if there was none, and with whatever the network has.
   */
  async serve(
    stream: Stream,
    answer: Answer,
    done: (message: StreamMessage) => void,
  ): Promise<void> {
    await this.#within(stream, this.#options.timeoutMs, async () => {
      const decoder = new StreamDecoder(this.#security, { expectsLabel: true });
      const message = await readMessage(stream, decoder).catch(async (error: unknown) => {
        await this.#complain(stream, error);
        throw error;
      });
      // Nothing at all: somebody looked whether the port is open.
      if (message === undefined) return;
      const reply = answer(message);
      if (reply !== undefined) await stream.write(this.#encode(reply));
      done(message);
    });
  }

  closeAll(): void {
    for (const stream of this.#open) stream.close();
  }

  /** A member with a fault of its own learns of it; a stranger learns nothing. */
  async #complain(stream: Stream, error: unknown): Promise<void> {
    if (!(error instanceof ProtocolError)) return;
    if (error.reason === "wrong-label" || error.reason === "wrong-key") return;
    await stream.write(this.#encode({ type: "error", message: error.message }));
  }

  async #dial<T>(
    to: NetworkAddress,
    timeoutMs: number,
    talk: (stream: Stream) => Promise<T>,
  ): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const stream = await this.#network.dial(to, timeoutMs);
    const leftMs = timeoutMs - (this.#clock.monotonicMs() - startMs);
    return await this.#within(stream, leftMs, () => talk(stream));
  }

  async #within<T>(stream: Stream, timeoutMs: number, talk: () => Promise<T>): Promise<T> {
    this.#open.add(stream);
    const deadline = this.#clock.after(timeoutMs, () => stream.close());
    try {
      return await talk();
    } finally {
      deadline.cancel();
      this.#open.delete(stream);
      stream.close();
    }
  }

  #opening(message: StreamMessage): Uint8Array {
    return concatBytes(this.#security.header, this.#encode(message));
  }

  #encode(message: StreamMessage): Uint8Array {
    return encodeStreamMessage(message, this.#options, this.#security);
  }
}

/** undefined: the stream ended before its first byte. */
async function readMessage(
  stream: Stream,
  decoder: StreamDecoder,
): Promise<StreamMessage | undefined> {
  let isEmpty = true;
  for (;;) {
    const bytes = await stream.read();
    if (bytes === undefined) {
      if (isEmpty) return undefined;
      throw new ProtocolError("incomplete", "the stream ended in the middle of a message");
    }
    isEmpty &&= bytes.length === 0;
    const message = decoder.push(bytes);
    if (message !== undefined) return message;
  }
}
