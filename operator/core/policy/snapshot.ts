// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { canonicalJson } from '../compare.ts';
import type { JudgingPack } from './compose.ts';
import type { Exemption, PackRef } from './exemption.ts';
import type { NamespaceFacts, TenantFacts } from './facts.ts';
import type { ImageTeller } from './image-input.ts';
import type { Constraint } from './gatekeeper-constraints.ts';
import { type Binding, rulesOf } from './match.ts';
import type { Trust } from './mutate.ts';
import type { InputShape } from './projection.ts';
import type { LabelSelector } from './selector.ts';

/** An entry point of a module, and what it answers: `decision` is all there is, the others one key of it. */
export interface Entrypoint {
  readonly path: string;
  readonly role: string;
}

/** A revision of a pack, as requests are judged by it. */
export interface SnapshotRevision extends JudgingPack {
  /** `namespace/name` of the PolicyPackRevision. */
  readonly key: string;
  /** Whether its module is in the host. One that is not cannot be evaluated, and that is what its evaluation comes to. */
  readonly isLoaded: boolean;
  readonly binding: Binding;
  readonly entrypoints: readonly Entrypoint[];
  readonly shape: InputShape;
  /** JSON text of its parameters. */
  readonly parameters: string;
  /** Constraints of Gatekeeper that its data holds. */
  readonly constraints?: readonly Constraint[] | undefined;
  readonly mayChange: boolean;
  /** Whether its rules are told what is known of images. */
  readonly seesImages?: boolean | undefined;
  readonly deadlineMs: number;
  readonly memoryMiB: number;
}

/** A pack as the cluster has it: which revisions it names, and how far the new one has come. */
export interface PackState {
  readonly pack: PackRef;
  readonly uid: string;
  readonly trust: Trust;
  /** Whose it is, where it is a tenant's. */
  readonly tenant?: string | undefined;
  /** Keys of revisions. */
  readonly active?: string | undefined;
  readonly candidate?: string | undefined;
  readonly previous?: string | undefined;
  /** How far the candidate is: judged beside the active one, or deciding for a share. */
  readonly rollout: 'None' | 'Shadow' | 'Cohort';
  readonly percent: number;
  readonly critical?: LabelSelector | undefined;
  readonly latencyBudgetMs: number;
}

/** A pack in a snapshot: what decides, and what is tried. */
export interface SnapshotPack extends Omit<PackState, 'active' | 'candidate' | 'previous'> {
  readonly active: SnapshotRevision | undefined;
  readonly candidate: SnapshotRevision | undefined;
}

/** What a snapshot is made from. */
export interface SnapshotInput {
  readonly platformNamespace: string;
  readonly packs: readonly PackState[];
  /** By key, loaded or not. */
  readonly revisions: ReadonlyMap<string, SnapshotRevision>;
  /** Keys of revisions that the host evaluates no more. */
  readonly quarantined: ReadonlySet<string>;
  /** Keys of what decided until now, by `namespace/name` of the pack: kept where what is to decide cannot be loaded. */
  readonly enforced: ReadonlyMap<string, string>;
  readonly exemptions: readonly Exemption[];
  readonly tenants: ReadonlyMap<string, TenantFacts>;
  readonly namespaces: ReadonlyMap<string, NamespaceFacts>;
  /** By namespace, what says what is known of its images. It goes by the moment, and is no part of the digest. */
  readonly images?: ((namespace: string) => ImageTeller) | undefined;
}

/** All that requests are judged by at one time. Never changes; a request reads one, once. */
export interface Snapshot {
  /** Of what decides: revisions, how far candidates are, exemptions. Not of tenants and namespaces, which are what is judged. */
  readonly digest: string;
  readonly platformNamespace: string;
  /** The platform's first, then by name. */
  readonly packs: readonly SnapshotPack[];
  readonly index: PackIndex;
  readonly exemptions: readonly Exemption[];
  readonly tenants: ReadonlyMap<string, TenantFacts>;
  readonly namespaces: ReadonlyMap<string, NamespaceFacts>;
  readonly images?: SnapshotInput['images'];
  /** Packs that do not decide by the revision that is named, and why. */
  readonly behind: readonly { readonly pack: string; readonly wants: string; readonly why: string }[];
}

/** Packs by `group/resource`; those with wildcards are under `*`. */
export type PackIndex = ReadonlyMap<string, readonly SnapshotPack[]>;

/** `namespace/name`. */
export function packKey({ namespace, name }: PackRef): string {
  return `${namespace}/${name}`;
}

/** Builds the snapshot of what the cluster says and the host has. The same input always gives the same digest. */
export function buildSnapshot(input: SnapshotInput): Snapshot {
  const ordered = input.packs.toSorted(byTrustAndName);
  const behind: { pack: string; wants: string; why: string }[] = [];
  const packs = ordered.map((state): SnapshotPack => {
    const { active, candidate, previous: _, ...rest } = state;
    const chosen = activeOf(state, input);
    if (chosen.why !== undefined && active !== undefined)
      behind.push({ pack: packKey(state.pack), wants: active, why: chosen.why });
    return { ...rest, active: chosen.revision, candidate: candidateOf(candidate, input) };
  });
  return {
    digest: digestOf(packs, input.exemptions),
    platformNamespace: input.platformNamespace,
    packs,
    index: indexOf(packs),
    exemptions: input.exemptions,
    tenants: input.tenants,
    namespaces: input.namespaces,
    images: input.images,
    behind,
  };
}

/**
 * What decides: the revision that is named; where its module is not there, what decided before. Where there is nothing of that
 * either, the one that is named all the same, whose evaluation then fails: a pack that is active is never passed over. One that the
 * host has put into quarantine stays, and fails: whoever could bring it there by a crafted request would else choose an older
 * revision to be judged by. To go back is for the operator, which sees all replicas.
 */
function activeOf(
  { pack, active, previous }: PackState,
  { revisions, enforced }: SnapshotInput,
): { readonly revision: SnapshotRevision | undefined; readonly why?: string } {
  if (active === undefined) return { revision: undefined };
  const wanted = revisions.get(active);
  if (wanted?.isLoaded === true) return { revision: wanted };
  const before = [enforced.get(packKey(pack)), previous].find(
    (key) => key !== undefined && revisions.get(key)?.isLoaded === true,
  );
  return { revision: before === undefined ? wanted : revisions.get(before), why: 'NotLoaded' };
}

function candidateOf(
  key: string | undefined,
  { revisions, quarantined }: SnapshotInput,
): SnapshotRevision | undefined {
  const found = key === undefined || quarantined.has(key) ? undefined : revisions.get(key);
  return found?.isLoaded === true ? found : undefined;
}

function byTrustAndName(a: PackState, b: PackState): number {
  if (a.trust !== b.trust) return a.trust === 'Platform' ? -1 : 1;
  return packKey(a.pack) < packKey(b.pack) ? -1 : 1;
}

function digestOf(packs: readonly SnapshotPack[], exemptions: readonly Exemption[]): string {
  const named = packs.map((one) => [
    packKey(one.pack),
    one.uid,
    keyOf(one.active),
    keyOf(one.candidate),
    one.rollout,
    one.percent,
    one.critical ?? null,
  ]);
  const lifted = exemptions.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const text = canonicalJson({ packs: named, exemptions: lifted });
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function keyOf(revision: SnapshotRevision | undefined): string {
  return revision === undefined ? '' : `${revision.key}${revision.isLoaded ? '' : ' (not loaded)'}`;
}

const ANY = '*';

/** So that packs that cannot be about a request cost it nothing. Of both revisions, as they may be bound to different things. */
function indexOf(packs: readonly SnapshotPack[]): PackIndex {
  const index = new Map<string, SnapshotPack[]>();
  for (const pack of packs) {
    const keys = [pack.active, pack.candidate].flatMap((one) => (one === undefined ? [] : keysOf(one)));
    for (const key of new Set(keys)) index.set(key, [...(index.get(key) ?? []), pack]);
  }
  return index;
}

function keysOf({ binding }: SnapshotRevision): readonly string[] {
  return rulesOf(binding).flatMap(({ apiGroups, resources }) =>
    resources.flatMap((one) => {
      const resource = one.split('/', 1)[0] ?? '';
      return apiGroups.map((group) => (group === '*' || resource === '*' ? ANY : `${group}/${resource}`));
    }),
  );
}

/** Packs that may be about a resource, in their order. */
export function packsAbout(snapshot: Snapshot, group: string, resource: string): readonly SnapshotPack[] {
  const named = snapshot.index.get(`${group}/${resource}`) ?? [];
  const any = snapshot.index.get(ANY) ?? [];
  if (any.length === 0) return named;
  if (named.length === 0) return any;
  const found = new Set([...named, ...any]);
  return snapshot.packs.filter((one) => found.has(one));
}
