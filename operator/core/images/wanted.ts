// SPDX-License-Identifier: Apache-2.0
import { IMAGE_VERDICT, type ImageVerdictSpec } from '#crds/v1alpha1/image-verdict';
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { DONE, type Plan, removalOf } from '../plan.ts';
import { verdictName } from './names.ts';
import { type ImagePolicyFacts, isAbout } from './policy.ts';

/** Images of one namespace of which verdicts are kept: who names more is told by what waits. */
export const MAX_VERDICTS = 512;
/** A verdict that nobody wants any more stays so long: what comes again soon needs not wait. */
export const KEPT_MS = 3_600_000;
/** How often it is looked at what runs in a namespace, beside what admission tells at once. */
export const LOOK_MS = 900_000;

/** What of a namespace is decided by. */
export interface InventorySeen {
  readonly namespace: string;
  /** Whether verdicts are kept in it at all: they go at once where it is no tenant's any more. */
  readonly keepsVerdicts: boolean;
  /** Policies that are for the namespace. */
  readonly policies: readonly ImagePolicyFacts[];
  /** As they are written, what runs first: of too many the last are left out. */
  readonly images: readonly string[];
  readonly verdicts: readonly KubeObject[];
  /** Uids of verdicts, and since when nobody wants them. */
  readonly unwantedMs: ReadonlyMap<string, number>;
  /** When what runs is worth asking for again. */
  readonly againMs: number;
}

/** Whole names of images that a policy is about, each once. */
export function wantedImages({
  images,
  policies,
}: Pick<InventorySeen, 'images' | 'policies'>): readonly string[] {
  const wanted = new Set<string>();
  for (const image of images) {
    const read = parseReference(image);
    // What nobody can name is refused where it is used, and there is nothing to look for.
    if (read.kind === 'refused') continue;
    if (policies.some((policy) => isAbout(policy, read.reference)))
      wanted.add(formatReference(read.reference));
  }
  return [...wanted].slice(0, MAX_VERDICTS);
}

/** Verdicts that nobody wants. */
export function unwanted(
  seen: Pick<InventorySeen, 'images' | 'policies' | 'verdicts'>,
): readonly KubeObject[] {
  const names = new Set(wantedImages(seen).map(verdictName));
  return seen.verdicts.filter(({ metadata }) => !names.has(metadata.name));
}

/**
 * Makes verdicts that are wanted, and removes those that nobody has wanted for long. There are never more than may be: where there is no room,
 * those go first that nobody has wanted for longest, and what is wanted comes when they are gone. What they say is for others.
 */
export function planInventory(seen: InventorySeen): Plan<undefined> {
  const there = new Set(seen.verdicts.map(({ metadata }) => metadata.name));
  const missing = wantedImages(seen).filter((image) => !there.has(verdictName(image)));
  const room = Math.max(MAX_VERDICTS - seen.verdicts.length, 0);
  const isIdle = seen.policies.length === 0 && seen.verdicts.length === 0;
  return {
    status: undefined,
    apply: missing.slice(0, room).map((image) => verdictOn(image, seen.namespace)),
    create: [],
    remove: goneOf(seen, missing.length).map(removalOf),
    events: [],
    result: isIdle ? DONE : { kind: 'requeueAfter', afterMs: seen.againMs, why: 'to see what runs' },
  };
}

/** Those that nobody has wanted for long, and before their time as many as there is no room for; all where the namespace is no tenant's. */
function goneOf(seen: InventorySeen, missing: number): readonly KubeObject[] {
  if (!seen.keepsVerdicts) return seen.verdicts;
  const ageMs = ({ metadata }: KubeObject) => seen.unwantedMs.get(metadata.uid ?? '') ?? 0;
  const tooMany = seen.verdicts.length + missing - MAX_VERDICTS;
  return unwanted(seen)
    .toSorted((one, other) => ageMs(other) - ageMs(one))
    .filter((one, index) => index < tooMany || ageMs(one) >= KEPT_MS);
}

/** A verdict that says nothing yet. */
export function verdictOn(
  image: string,
  namespace: string,
): KubeObject & { readonly spec: ImageVerdictSpec } {
  return {
    apiVersion: API_VERSION,
    kind: IMAGE_VERDICT.kind,
    metadata: { namespace, name: verdictName(image), labels: { [LABELS.managedBy]: MANAGED_BY } },
    spec: { image },
  };
}
