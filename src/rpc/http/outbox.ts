import type { IncomingMessage } from "node:http";

export type Socket = IncomingMessage["socket"];

/** Writes of one turn of the event loop go out together. */
export class Outbox {
  readonly #socket: Socket;
  #isCorked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(header: Uint8Array, body: Uint8Array): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      queueMicrotask(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    socket.write(header);
    if (body.length > 0) socket.write(body);
  }
}
