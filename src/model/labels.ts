/** One label of a series. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/** Labels of one series, sorted by name in byte order of UTF-8, names unique. */
export type Labels = readonly Label[];

export const METRIC_NAME = "__name__";

export function labelValue(labels: Labels, name: string): string {
  for (const label of labels) if (label.name === name) return label.value;
  return "";
}

/** `up{job="x"}` as Prometheus prints it. */
export function formatLabels(labels: Labels): string {
  const rest = labels.filter((label) => label.name !== METRIC_NAME);
  const inner = rest.map((label) => `${label.name}=${JSON.stringify(label.value)}`).join(", ");
  const name = labelValue(labels, METRIC_NAME);
  return rest.length === 0 && name !== "" ? name : `${name}{${inner}}`;
}
