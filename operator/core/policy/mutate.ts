// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import { isDeepEqual } from '../compare.ts';
import type { Default } from './outputs.ts';
import { partsOf, pointerOf, resolve } from './pointer.ts';
import type { JsonObject } from './review.ts';

/** How far a pack is trusted: one in the namespace of the platform, or one of a tenant. */
export type Trust = 'Platform' | 'Tenant';

/** A default that a pack wants, and which pack that is. */
export interface WantedDefault extends Default {
  readonly trust: Trust;
  /** The pack, as it is named to people. */
  readonly by: string;
}

/** One step of a JSON Patch. */
export interface PatchStep {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  /** Not of what is removed. */
  readonly value?: unknown;
}

/** A default that is not filled in, and why. */
export interface PassedOver {
  readonly path: string;
  readonly by: string;
  readonly why: string;
}

/** What is filled in, and what is not. */
export interface Defaults {
  readonly patch: readonly PatchStep[];
  readonly passedOver: readonly PassedOver[];
}

/** Fields that say what an object is and whose. No pack fills them in. */
const IDENTITY =
  /^\/(apiVersion|kind|status(\/.*)?|metadata(\/(name|generateName|namespace|uid|resourceVersion|generation|creationTimestamp|deletionTimestamp|deletionGracePeriodSeconds|ownerReferences|finalizers|managedFields|selfLink)(\/.*)?)?)$/;
/** Labels and annotations that say who may do what: ours, and those of Kubernetes. */
const RESERVED_KEY = new RegExp(
  `^/metadata/(labels|annotations)/([^/]*\\.)?(${GROUP.replaceAll('.', '\\.')}|kubernetes\\.io|(x-)?k8s\\.io)~1`,
);
/**
 * What a pack of a tenant may fill in. A list of what it may, and not of what it must not: a mutation is done in the name of
 * whoever makes the request, which may be somebody who may do more than the author of the pack, as the operator that makes the pods of Runs.
 */
const OF_TENANTS: readonly RegExp[] = [
  /^\/metadata\/(labels|annotations)\/[^/]+$/,
  /^(\/spec(\/jobTemplate\/spec)?(\/template)?)?\/metadata\/(labels|annotations)\/[^/]+$/,
  /\/(containers|initContainers)\/\d+\/resources(\/(requests|limits)(\/[^/]+)?)?$/,
  /\/(containers|initContainers)\/\d+\/imagePullPolicy$/,
  /^\/spec(\/.*)?\/(terminationGracePeriodSeconds|activeDeadlineSeconds|ttlSecondsAfterFinished|backoffLimit)$/,
];

/**
 * The patch that fills defaults in: only where there is nothing, so no pack undoes what somebody wrote, and none what another
 * filled in. Where two of the same trust want different things of the same place, or one what is below it, neither gets it, so that the
 * outcome does not hang on an order; the platform goes before tenants.
 */
export function planDefaults(object: JsonObject, wanted: readonly WantedDefault[]): Defaults {
  const passedOver: PassedOver[] = [];
  const allowed = wanted.filter((one) => {
    const why = whyNot(object, one);
    if (why !== undefined && why !== '') passedOver.push({ path: one.path, by: one.by, why });
    return why === undefined;
  });
  const platform = settle(
    allowed.filter(({ trust }) => trust === 'Platform'),
    [],
    passedOver,
  );
  const tenant = settle(
    allowed.filter(({ trust }) => trust === 'Tenant'),
    platform,
    passedOver,
  );
  return { patch: patchOf(object, [...platform, ...tenant]), passedOver };
}

/** Why a default cannot be filled in; empty where it needs not be: there is a value. */
function whyNot(object: JsonObject, { path, trust }: WantedDefault): string | undefined {
  if (IDENTITY.test(path)) return 'it is part of what the object is';
  if (RESERVED_KEY.test(path)) return `it is one of the marks of ${GROUP} or of Kubernetes`;
  if (trust === 'Tenant' && !OF_TENANTS.some((one) => one.test(path)))
    return 'a pack of a tenant fills in labels, annotations, resources, pull policy and deadlines only';
  const target = resolve(object, partsOf(path));
  if (target.kind === 'found') return '';
  return target.kind === 'absent' ? undefined : 'there is nothing that it could be put in';
}

/** Those that no other of them contradicts, nor any of `before`. */
function settle(
  wanted: readonly WantedDefault[],
  before: readonly WantedDefault[],
  passedOver: PassedOver[],
): readonly WantedDefault[] {
  const distinct = wanted.filter((one, index) => wanted.findIndex((other) => isSame(one, other)) === index);
  return distinct.filter((one) => {
    if (before.some((other) => isSame(one, other))) return false;
    const rival = [...before, ...distinct].find((other) => other !== one && overlaps(one.path, other.path));
    if (rival === undefined) return true;
    const by = rival.by === one.by ? 'the same pack wants' : `${rival.by} wants`;
    passedOver.push({ path: one.path, by: one.by, why: `${by} something else there` });
    return false;
  });
}

function isSame(one: Default, other: Default): boolean {
  return one.path === other.path && isDeepEqual(one.value, other.value);
}

/** Whether one place is the other, or within it. */
function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}

/** Steps in the order of their paths, with the objects on the way that are not there yet. */
function patchOf(object: JsonObject, wanted: readonly WantedDefault[]): readonly PatchStep[] {
  const steps: PatchStep[] = [];
  const made = new Set<string>();
  for (const { path, value } of wanted.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const parts = partsOf(path);
    const target = resolve(object, parts);
    const depth = target.kind === 'absent' ? target.depth : parts.length;
    for (let at = depth + 1; at < parts.length; at += 1) {
      const parent = pointerOf(parts.slice(0, at));
      if (!made.has(parent)) steps.push({ op: 'add', path: parent, value: {} });
      made.add(parent);
    }
    steps.push({ op: 'add', path, value });
  }
  return steps;
}

/** What stands where something was taken out. */
export const REDACTED = '[redacted by policy]';

/** Where kubectl keeps the whole manifest, with all that stands in it. */
const LAST_APPLIED = ['metadata', 'annotations', 'kubectl.kubernetes.io/last-applied-configuration'];

const COPY = pointerOf(LAST_APPLIED);
/**
 * What a pack of a tenant may take out: what its users write for themselves. Not what Kubernetes, or an image, needs to start; a change is made in
 * the name of whoever asks for it.
 */
const TENANTS_TAKE_OUT: readonly RegExp[] = [
  /^\/data\/[^/]+$/,
  /^(\/spec(\/jobTemplate\/spec)?(\/template)?)?\/metadata\/annotations\/[^/]+$/,
  /^\/spec(\/.*)?\/(containers|initContainers|ephemeralContainers)\/\d+\/env\/\d+\/value$/,
];
/** What NexusOS tells its containers. */
const OWN_VARIABLE = /^NEXUSOS_/;

/** A place that is to be taken out, and how far the pack is trusted that wants it. */
export interface WantedRedaction {
  readonly path: string;
  readonly trust: Trust;
}

/**
 * The patch that takes out what detectors found, and the copy of it that kubectl keeps: its next `apply` makes another. Only whole texts that are not part of what the object is; what is left is refused
 * when the object is judged.
 */
export function planRedactions(object: JsonObject, wanted: readonly WantedRedaction[]): readonly PatchStep[] {
  const allowed = wanted.filter((one) => mayTakeOut(object, one)).map(({ path }) => path);
  const steps = [...new Set(allowed)].toSorted().flatMap((path): PatchStep[] => {
    const target = resolve(object, partsOf(path));
    if (target.kind !== 'found' || typeof target.value !== 'string') return [];
    return [{ op: 'replace', path, value: REDACTED }];
  });
  const isMeant = steps.length > 0 || wanted.some(({ path }) => path === COPY);
  const isKept = isMeant && resolve(object, LAST_APPLIED).kind === 'found';
  return isKept ? [...steps, { op: 'remove', path: COPY }] : steps;
}

function mayTakeOut(object: JsonObject, { path, trust }: WantedRedaction): boolean {
  if (path === '' || IDENTITY.test(path) || RESERVED_KEY.test(path)) return false;
  if (trust === 'Platform') return true;
  return TENANTS_TAKE_OUT.some((one) => one.test(path)) && !isOwnVariable(object, path);
}

function isOwnVariable(object: JsonObject, path: string): boolean {
  const parts = partsOf(path);
  if (!path.includes('/env/')) return false;
  const name = resolve(object, [...parts.slice(0, -1), 'name']);
  return name.kind === 'found' && typeof name.value === 'string' && OWN_VARIABLE.test(name.value);
}
