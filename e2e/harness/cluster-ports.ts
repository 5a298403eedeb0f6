/**
 * Ports for nodes that come back: outside of the range from which the kernel takes the ports of outgoing connections. One from
 * inside could be taken while its node is dead, or a caller could be connected to itself.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 12_000;
const COUNT = 20_000;
const HOST = "127.0.0.1";
const taken = new Set<number>();

/** A port that nothing uses now for TCP or UDP, and that was not given out before by this process. */
export async function lastingPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (taken.has(port)) continue;
    taken.add(port);
    if ((await isFreeTcp(port)) && (await isFreeUdp(port))) return port;
  }
  throw new Error("no free port");
}

async function isFreeTcp(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, HOST);
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

async function isFreeUdp(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  try {
    socket.bind(port, HOST);
    await once(socket, "listening");
  } catch {
    return false;
  }
  socket.close();
  await once(socket, "close");
  return true;
}
