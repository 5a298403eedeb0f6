/**
 * Nodes in network namespaces of their own, on one bridge, each with an address; the test reaches them all. A cut between two
 * nodes is silent, as a broken switch is: each sends to a hardware address that nobody has. (Linux, root, iproute2.)
 */
import { execFileSync } from "node:child_process";
import type { NodePlace } from "./cluster-node.ts";

/** Not in use on this machine: from the range for tests between networks (RFC 2544). */
const PREFIX = "198.18.77";
const BRIDGE = "muninn-e2e";
const NOBODY = "02:00:00:00:00:fe";
/** In each namespace the same, nothing else runs there. */
const PORTS = { httpPort: 8080, rpcPort: 9095, gossipPort: 7946 };

export class ClusterNetwork implements Disposable {
  readonly places: Readonly<Record<string, NodePlace>>;
  readonly #names: readonly string[];

  private constructor(names: readonly string[]) {
    this.#names = names;
    this.places = Object.fromEntries(
      names.map((name) => [
        name,
        { ...PORTS, host: this.#hostOf(name), within: ["ip", "netns", "exec", spaceOf(name)] },
      ]),
    );
  }

  static create(names: readonly string[]): ClusterNetwork {
    const network = new ClusterNetwork(names);
    network[Symbol.dispose]();
    try {
      network.#build();
    } catch (error) {
      network[Symbol.dispose]();
      throw error;
    }
    return network;
  }

  /** Nothing goes between the two sides any more, in either direction. */
  cut(left: readonly string[], right: readonly string[]): void {
    this.#eachPair(left, right, (from, to) => {
      const neighbour = ["replace", this.#hostOf(to), "lladdr", NOBODY, "dev", "eth0"];
      ip("-n", spaceOf(from), "neigh", ...neighbour, "nud", "permanent");
    });
  }

  mend(left: readonly string[], right: readonly string[]): void {
    this.#eachPair(left, right, (from, to) => {
      ip("-n", spaceOf(from), "neigh", "del", this.#hostOf(to), "dev", "eth0");
    });
  }

  #eachPair(
    left: readonly string[],
    right: readonly string[],
    visit: (from: string, to: string) => void,
  ): void {
    for (const one of left) {
      for (const other of right) {
        visit(one, other);
        visit(other, one);
      }
    }
  }

  #hostOf(name: string): string {
    return `${PREFIX}.${10 + this.#names.indexOf(name)}`;
  }

  #build(): void {
    ip("link", "add", BRIDGE, "type", "bridge");
    ip("addr", "add", `${PREFIX}.1/24`, "dev", BRIDGE);
    ip("link", "set", BRIDGE, "up");
    for (const [at, name] of this.#names.entries()) {
      const space = spaceOf(name);
      const outside = `${BRIDGE}-${at}`;
      ip("netns", "add", space);
      ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space);
      ip("link", "set", outside, "master", BRIDGE);
      ip("link", "set", outside, "up");
      ip("-n", space, "addr", "add", `${this.#hostOf(name)}/24`, "dev", "eth0");
      ip("-n", space, "link", "set", "eth0", "up");
      ip("-n", space, "link", "set", "lo", "up");
    }
  }

  /** Also what an earlier run has left behind. */
  [Symbol.dispose](): void {
    for (const name of this.#names) attempt("netns", "del", spaceOf(name));
    for (const at of this.#names.keys()) attempt("link", "del", `${BRIDGE}-${at}`);
    attempt("link", "del", BRIDGE);
  }
}

/** Why this machine has no network namespaces for us; undefined if it has. */
export function whyNoNamespaces(): string | undefined {
  const space = spaceOf("probe");
  try {
    ip("netns", "add", space);
    ip("-n", space, "link", "add", "probe", "type", "veth", "peer", "name", "other");
    return undefined;
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    return `no network namespaces here: ${stderr.trim() || String(error)}`;
  } finally {
    attempt("netns", "del", space);
  }
}

function spaceOf(name: string): string {
  return `${BRIDGE}-${name}`;
}

function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
}

function attempt(...words: readonly string[]): void {
  try {
    ip(...words);
  } catch {
    // It was not there.
  }
}
