import type { Label, Labels } from "../model/labels.ts";
import { METRIC_NAME } from "../model/labels.ts";

/** Operations on label sets (sorted by name, names unique, no empty values). All give new sets. */

/** Labels that describe the metric, not the thing measured: what a function drops from its result. */
function isMetadata(name: string): boolean {
  return name === METRIC_NAME || name === "__type__" || name === "__unit__";
}

export function dropMetadata(labels: Labels): Labels {
  return labels.some(({ name }) => isMetadata(name))
    ? labels.filter(({ name }) => !isMetadata(name))
    : labels;
}

export function keepLabels(labels: Labels, names: readonly string[]): Labels {
  return labels.filter(({ name }) => names.includes(name));
}

export function dropLabels(labels: Labels, names: readonly string[]): Labels {
  return labels.some(({ name }) => names.includes(name))
    ? labels.filter(({ name }) => !names.includes(name))
    : labels;
}

/** An empty value removes the label. */
export function setLabel(labels: Labels, name: string, value: string): Labels {
  const rest = labels.filter((label) => label.name !== name);
  if (value === "") return rest;
  const at = rest.findIndex((label) => compareText(label.name, name) > 0);
  rest.splice(at < 0 ? rest.length : at, 0, { name, value });
  return rest;
}

/** Equal for equal label sets only. */
export function labelKey(labels: Labels): string {
  let key = "";
  for (const { name, value } of labels) key += `${name.length}:${name}${value.length}:${value}`;
  return key;
}

/** Key of the values of `names` (absent ones are empty). */
export function keyOf(labels: Labels, names: readonly string[]): string {
  let key = "";
  for (const name of names) {
    const value = valueOf(labels, name);
    key += `${value.length}:${value}`;
  }
  return key;
}

export function keyWithout(labels: Labels, names: readonly string[]): string {
  return labelKey(labels.filter(({ name }) => name !== METRIC_NAME && !names.includes(name)));
}

function valueOf(labels: Labels, wanted: string): string {
  for (const { name, value } of labels) if (name === wanted) return value;
  return "";
}

/** Order of names, then values, label by label; a prefix comes first. */
export function compareLabels(a: Labels, b: Labels): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const left = a[i] as Label;
    const right = b[i] as Label;
    if (left.name !== right.name) return compareText(left.name, right.name);
    if (left.value !== right.value) return compareText(left.value, right.value);
  }
  return a.length - b.length;
}

/** Order of the UTF-8 bytes. It is the order of UTF-16 units except for surrogates, which stand above U+FFFF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    const leftSurrogate = left >= 0xd800 && left <= 0xdfff;
    const rightSurrogate = right >= 0xd800 && right <= 0xdfff;
    if (leftSurrogate !== rightSurrogate) return leftSurrogate ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

/** As Prometheus prints labels in messages: `{a="b", c="d"}`, the metric name before the braces or among them. */
export function printLabels(labels: Labels): string {
  const pair = ({ name, value }: Label) => `${name}=${JSON.stringify(value)}`;
  return `{${labels.map(pair).join(", ")}}`;
}
