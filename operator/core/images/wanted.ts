// SPDX-License-Identifier: Apache-2.0
import { IMAGE_VERDICT, type ImageVerdictSpec } from '#crds/v1alpha1/image-verdict';
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { DONE, type Plan, removalOf } from '../plan.ts';
import { verdictName, verdictNameOf } from './names.ts';
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
  /** Whether the namespace is being deleted: the API server lets nothing be made in it, and removes what is there. */
  readonly isGoing: boolean;
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

type Asked = Pick<InventorySeen, 'images' | 'policies'>;

/** Names of verdicts, and whole names of the images that they are on. */
type WantedNames = ReadonlyMap<string, string>;

const known = new WeakMap<
  readonly string[],
  { readonly by: Asked['policies']; readonly names: WantedNames }
>();

/** To read and to hash 512 names takes some milliseconds in one piece: of what was seen once that is done once, who looks for what is missing, or in excess. */
function namesFor({ images, policies }: Asked): WantedNames {
  const before = known.get(images);
  if (before?.by === policies) return before.names;
  const names = new Map<string, string>();
  for (const image of images) {
    const read = parseReference(image);
    // What nobody can name is refused where it is used, and there is nothing to look for.
    if (read.kind === 'refused') continue;
    const { reference } = read;
    if (policies.some((policy) => isAbout(policy, reference)))
      names.set(verdictNameOf(reference), formatReference(reference));
    if (names.size === MAX_VERDICTS) break;
  }
  known.set(images, { by: policies, names });
  return names;
}

/** Whole names of images that a policy is about, each once. */
export function wantedImages(asked: Asked): readonly string[] {
  return [...namesFor(asked).values()];
}

/** Verdicts that nobody wants. */
export function unwanted(
  seen: Pick<InventorySeen, 'images' | 'policies' | 'verdicts'>,
): readonly KubeObject[] {
  const names = namesFor(seen);
  return seen.verdicts.filter(({ metadata }) => !names.has(metadata.name));
}

/**
 * Makes verdicts that are wanted, and removes those that nobody has wanted for long. There are never more than may be: where there is no room,
 * those go first that nobody has wanted for longest, and what is wanted comes when they are gone. What they say is for others.
 */
export function planInventory(seen: InventorySeen): Plan<undefined> {
  if (seen.isGoing) return { status: undefined, apply: [], create: [], remove: [], events: [], result: DONE };
  const there = new Set(seen.verdicts.map(({ metadata }) => metadata.name));
  const missing = [...namesFor(seen)].filter(([name]) => !there.has(name));
  const room = Math.max(MAX_VERDICTS - seen.verdicts.length, 0);
  const isIdle = seen.policies.length === 0 && seen.verdicts.length === 0;
  return {
    status: undefined,
    apply: missing.slice(0, room).map(([name, image]) => verdictOn(image, seen.namespace, name)),
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

/** A verdict that says nothing yet. `name`: its own, where it is known already. */
export function verdictOn(
  image: string,
  namespace: string,
  name = verdictName(image),
): KubeObject & { readonly spec: ImageVerdictSpec } {
  return {
    apiVersion: API_VERSION,
    kind: IMAGE_VERDICT.kind,
    metadata: { namespace, name, labels: { [LABELS.managedBy]: MANAGED_BY } },
    spec: { image },
  };
}
