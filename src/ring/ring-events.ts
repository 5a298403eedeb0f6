/** What a person would say about the difference between two views: one line for each change. */
import { type Member, type RingView, shownState } from "./ring-view.ts";

export function ringEvents(before: RingView, after: RingView): string[] {
  const old = byId(before);
  const now = byId(after);
  const texts: string[] = [];
  for (const [id, member] of now) {
    const earlier = old.get(id);
    if (earlier === undefined) {
      texts.push(`${id} (${member.instance.address}) is new in the ring: ${shownState(member)}`);
    } else texts.push(...changesOf(earlier, member));
  }
  for (const [id, { instance }] of old) {
    if (!now.has(id)) texts.push(`${id} (${instance.address}) left the ring`);
  }
  return texts;
}

function changesOf(before: Member, after: Member): string[] {
  const { id } = after.instance;
  const texts: string[] = [];
  const [from, to] = [shownState(before), shownState(after)];
  if (from !== to) texts.push(`${id}: ${from} → ${to}`);
  if (before.instance.address !== after.instance.address) {
    texts.push(`${id} moved from ${before.instance.address} to ${after.instance.address}`);
  }
  if (before.instance.zone !== after.instance.zone) {
    texts.push(`${id}: zone "${before.instance.zone}" → "${after.instance.zone}"`);
  }
  if (before.instance.tokens !== after.instance.tokens && before.instance.tokens.length > 0) {
    texts.push(
      `${id}: other tokens (${before.instance.tokens.length} → ${after.instance.tokens.length})`,
    );
  }
  return texts;
}

function byId(view: RingView): Map<string, Member> {
  return new Map(view.members.map((member) => [member.instance.id, member]));
}
