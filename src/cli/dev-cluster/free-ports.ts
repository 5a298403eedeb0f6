/** Ports that nothing uses now, from a usual one upwards, so that they are the same each time where they can be. */
import type { Network } from "../../base/network.ts";
import { CommandError } from "../command.ts";
import { type ClusterPorts, HOST } from "./plan.ts";

export type Listening = Pick<Network, "listen" | "bindDatagrams">;

const USUAL = { http: 8080, rpc: 9095, gossip: 7946 } as const;
const TRIED_MAX = 1000;

/** `offset` moves all of the usual ones up, for a second cluster beside a first. */
export async function freePorts(
  count: number,
  network: Listening,
  offset = 0,
): Promise<ClusterPorts> {
  const isFree = (port: number): Promise<boolean> => isFreeTcp(port, network);
  const isFreeForGossip = async (port: number): Promise<boolean> =>
    (await isFreeTcp(port, network)) && (await isFreeUdp(port, network));
  const http = await choose({ from: USUAL.http + offset, count, isFree, taken: [] });
  const rpc = await choose({ from: USUAL.rpc + offset, count, isFree, taken: http });
  const taken = [...http, ...rpc];
  const gossip = await choose({
    from: USUAL.gossip + offset,
    count,
    isFree: isFreeForGossip,
    taken,
  });
  return { http, rpc, gossip };
}

interface Choice {
  readonly from: number;
  readonly count: number;
  readonly isFree: (port: number) => Promise<boolean>;
  readonly taken: readonly number[];
}

async function choose({ from, count, isFree, taken }: Choice): Promise<number[]> {
  const found: number[] = [];
  for (let port = from; found.length < count; port++) {
    if (port >= from + TRIED_MAX) {
      throw new CommandError(`no ${count} free ports between ${from} and ${port}`);
    }
    if (!taken.includes(port) && (await isFree(port))) found.push(port);
  }
  return found;
}

async function isFreeTcp(port: number, network: Listening): Promise<boolean> {
  return await opens(() => network.listen({ host: HOST, port }, (stream) => stream.close()));
}

async function isFreeUdp(port: number, network: Listening): Promise<boolean> {
  return await opens(() => network.bindDatagrams({ host: HOST, port }, () => undefined));
}

async function opens(open: () => Promise<{ close(): Promise<void> }>): Promise<boolean> {
  try {
    await (await open()).close();
    return true;
  } catch {
    return false;
  }
}
