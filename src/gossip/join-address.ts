/**
 * What a person writes to name members that are there already:
 *
 *   10.0.0.1, 10.0.0.1:7946, [fd00::1]:7946, host, host:7946   one address, or all addresses of a name
 *   name/host:7946                                             the same, with the node's name before it
 *   dns+host:7946                                              all addresses of a name
 *   dnssrv+service, dnssrvnoa+service                          all members of a DNS service
 */
import type { Network, NetworkAddress } from "../base/network.ts";
import { tryHostToBytes } from "./codec/ip-address.ts";

/** All addresses that it stands for. Rejects if the name does not resolve or makes no sense. */
export async function resolveJoinAddress(
  text: string,
  defaultPort: number,
  network: Network,
): Promise<NetworkAddress[]> {
  const [, scheme, rest = ""] = /^(?:(dns|dnssrv|dnssrvnoa)\+)?(.*)$/.exec(text) ?? [];
  if (scheme === "dnssrv" || scheme === "dnssrvnoa") {
    const members = await network.lookupService(rest);
    return (await Promise.all(members.map((member) => resolveHost(member, network)))).flat();
  }
  const withoutName = rest.slice(rest.indexOf("/") + 1);
  return await resolveHost(splitHostPort(withoutName, defaultPort), network);
}

async function resolveHost({ host, port }: NetworkAddress, network: Network) {
  if (tryHostToBytes(host) !== undefined) return [{ host, port }];
  return (await network.lookup(host)).map((found) => ({ host: found, port }));
}

export function splitHostPort(text: string, defaultPort: number): NetworkAddress {
  if (tryHostToBytes(text) !== undefined) return { host: text, port: defaultPort };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new Error(`${JSON.stringify(text)} is no address: write host, host:port or [IPv6]:port`);
  }
  return { host, port };
}
