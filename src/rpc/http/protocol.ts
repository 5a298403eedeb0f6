/**
 * What both sides of the protocol between members agree on: docs/rpc.md is the page about it.
 * A change that an older member would misread gets a new version, and with it new paths.
 */
export const PROTOCOL_VERSION = 1;

const INGESTER = `/rpc/v${PROTOCOL_VERSION}/ingester`;

export const PATHS = {
  health: `/rpc/v${PROTOCOL_VERSION}/health`,
  push: `${INGESTER}/push`,
  select: `${INGESTER}/select`,
  labelNames: `${INGESTER}/label-names`,
  labelValues: `${INGESTER}/label-values`,
  series: `${INGESTER}/series`,
  userStats: `${INGESTER}/user-stats`,
} as const;

/** Names of the calls in metrics: Mimir's, so that its dashboards find them. */
export const OPERATIONS = {
  push: "/cortex.Ingester/Push",
  select: "/cortex.Ingester/QueryStream",
  labelNames: "/cortex.Ingester/LabelNames",
  labelValues: "/cortex.Ingester/LabelValues",
  series: "/cortex.Ingester/MetricsForLabelMatchers",
  userStats: "/cortex.Ingester/AllUserStats",
} as const;

export type IngesterCall = keyof typeof OPERATIONS;

/** Label of the caller's cluster: members of two clusters never talk by accident. */
export const CLUSTER_HEADER = "x-muninn-cluster";
export const SECRET_HEADER = "authorization";

/** What a request is upgraded to for calls one after another and side by side on its connection. */
export const STREAM_PROTOCOL = "muninn-calls";
/** The code of a message that asks for no more calls on the stream. */
export const GOING_AWAY = 1;

/** Labels and secrets may hold anything; header values may not. */
export function clusterValue(label: string): string {
  return encodeURIComponent(label.toWellFormed());
}

export function secretValue(secret: string): string {
  return `Bearer ${Buffer.from(secret, "utf8").toString("base64url")}`;
}

/** What every request to another member carries. */
export function memberHeaders(member: {
  readonly clusterLabel: string;
  readonly secret: string;
}): Record<string, string> {
  const { clusterLabel, secret } = member;
  return {
    [CLUSTER_HEADER]: clusterValue(clusterLabel),
    ...(secret === "" ? {} : { [SECRET_HEADER]: secretValue(secret) }),
  };
}
