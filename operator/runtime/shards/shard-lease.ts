// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../../core/object.ts';

/** A request for a shard, on its Lease. */
export interface Claim {
  readonly by: string;
  /** Unlike that of any other request of the same member. */
  readonly at: string;
}

/** Name of the Lease of a shard, where `lead` is that of the lead. */
export function shardLeaseName(lead: string, index: number): string {
  return `${lead}-shard-${index}`;
}

/** The shard that a Lease of that name is of; undefined when it is of none. */
export function shardOfLease(lead: string, name: string): number | undefined {
  const prefix = `${lead}-shard-`;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9]\d{0,3})$/.test(digits) ? Number(digits) : undefined;
}

/** Number of shards by which the holder of a Lease deals out tenants; 0 where they are not dealt out. */
export function shardCountOf({ metadata }: KubeObject): number {
  const text = metadata.annotations?.[ANNOTATIONS.shards] ?? '';
  return /^\d{1,4}$/.test(text) ? Number(text) : 0;
}

/** Who asks for the shard of a Lease. */
export function claimOf({ metadata }: KubeObject): Claim | undefined {
  const text = metadata.annotations?.[ANNOTATIONS.claimedBy] ?? '';
  const space = text.lastIndexOf(' ');
  return space < 1 ? undefined : { by: text.slice(0, space), at: text.slice(space + 1) };
}

/** A claim as the Lease carries it. */
export function claimText({ by, at }: Claim): string {
  return `${by} ${at}`;
}

/** What a process that deals out tenants in `count` shards writes on a Lease that it holds; who takes a shard has what it claimed. */
export function annotateLease(
  count: number,
): (before: Readonly<Record<string, string>>, isOurs: boolean) => Readonly<Record<string, string>> {
  return (before, isOurs) => {
    const { [ANNOTATIONS.claimedBy]: claim, ...others } = before;
    const keepsClaim = isOurs && claim !== undefined;
    return {
      ...others,
      [ANNOTATIONS.shards]: String(count),
      ...(keepsClaim && { [ANNOTATIONS.claimedBy]: claim }),
    };
  };
}

/** Names whose shard is remembered: many passes ask for that of the same tenant. */
const MAX_REMEMBERED = 20_000;
const remembered = new Map<string, number>();

/** The shard, of `count`, that everything of that name is in: the same for every process and for ever. */
export function shardOf(name: string, count: number): number {
  let digest = remembered.get(name);
  if (digest === undefined) {
    digest = numberOf(name);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(name, digest);
  }
  return digest % count;
}

/** How near a shard is to a member: of members that have equally many, the nearest takes it. */
export function nearness(member: string, index: number): number {
  return numberOf(`${member}\n${index}`);
}

function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
