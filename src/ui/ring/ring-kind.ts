/** What the rings are for, in words. */

export interface RingKind {
  readonly title: string;
  readonly one: string;
  readonly many: string;
  /** Its instances hold replicas of what is written: there is a quorum that can be lost. */
  readonly hasQuorum: boolean;
  readonly purpose: string;
}

const KINDS: Readonly<Record<string, Omit<RingKind, "one" | "many">>> = {
  ingester: {
    title: "Ingester ring",
    hasQuorum: true,
    purpose: "Ingesters take in samples and keep the newest of them.",
  },
  distributor: {
    title: "Distributor ring",
    hasQuorum: false,
    purpose:
      "Distributors take pushes; a tenant's rate limit is shared out among the healthy ones.",
  },
  "store-gateway": {
    title: "Store-gateway ring",
    hasQuorum: false,
    purpose: "Store-gateways share out the blocks in object storage.",
  },
  compactor: {
    title: "Compactor ring",
    hasQuorum: false,
    purpose: "Compactors share out the work on blocks in object storage.",
  },
  querier: {
    title: "Querier ring",
    hasQuorum: false,
    purpose: "Queriers evaluate queries.",
  },
  "query-frontend": {
    title: "Query-frontend ring",
    hasQuorum: false,
    purpose: "Query-frontends split, cache and hand out queries.",
  },
};

export function ringKind(name: string): RingKind {
  const known = KINDS[name] ?? { title: `Ring ${name}`, hasQuorum: false, purpose: "" };
  return { ...known, one: name, many: `${name}s` };
}
