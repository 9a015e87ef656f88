// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackSpec } from '#crds/v1alpha1/policy-pack';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { KubeObject } from '#operator/core/object';
import { isForeignGroup } from '#operator/core/policy/foreign-kinds';
import { DEFAULT_OPERATIONS } from '#operator/core/policy/match';
import { newestFirst, noSuchRevision } from '#operator/core/policy-pack/no-revision';
import { scannedBy } from '#operator/core/scan/scannable';
import { HOST_LIMITS } from '#operator/policy/host';
import { isNamedByPlatform, operationsAskedAbout, type RegisteredRule } from '../registrations.ts';
import type { AdmissionRequest } from '../review.ts';
import type { Facts } from './facts.ts';
import type { TenantSettings } from './tenant.ts';
import type { Verdict } from './verdict.ts';

/** Whether a PolicyPack may be where it is, with that reach. What its rules are worth says its controller. */
export function judgePolicyPack(
  { object, oldObject, name, namespace }: AdmissionRequest,
  facts: Facts,
  { platformNamespace }: TenantSettings,
): Verdict {
  const { binding = {}, evaluation, rollbackTo } = (object?.['spec'] ?? {}) as Partial<PolicyPackSpec>;
  const isOfPlatform = namespace === platformNamespace;
  const field = 'spec.binding.tenants';
  const message = `${field}: found in namespace ${namespace}; allowed in ${platformNamespace} alone: the pack of a tenant judges what is in the namespaces of that tenant`;
  const isTooWide = binding.tenants !== undefined && !isOfPlatform;
  return {
    refusals: isTooWide ? [{ code: 'forbidden', message, field }] : [],
    warnings: [
      ...(isOfPlatform || facts.tenantOf(namespace) !== undefined ? [] : [ofNobody(namespace)]),
      ...neverAsked(binding, facts.registered()),
      ...neverReported(binding, facts.registered()),
      ...neverGiven(evaluation),
      ...noWayBack(rollbackTo, { namespace, name, uid: uidOf(oldObject ?? object) }, facts),
    ],
  };
}

function uidOf(pack: AdmissionRequest['object']): string | undefined {
  return pack?.metadata.uid;
}

function ofNobody(namespace: string): string {
  return `metadata.namespace: ${namespace} belongs to no tenant, and is not that of the platform; the pack judges nothing`;
}

/** A pack, and its UID where it has one by then. */
interface Asking extends Pick<AdmissionRequest, 'namespace' | 'name'> {
  readonly uid: string | undefined;
}

/**
 * Who goes back is mostly in a hurry, and should not have to look at a status to see that he has not. It is no refusal: a revision of that name may
 * come, since names follow from what revisions are made of, or has just come. What a namesake has left behind is none of this pack, and goes.
 */
function noWayBack(
  target: string | undefined,
  { namespace, name, uid }: Asking,
  facts: Facts,
): readonly string[] {
  if (target === undefined) return [];
  const there = facts
    .packRevisions(namespace, name)
    .filter((one) => uid === undefined || packUidOf(one) === uid);
  const names = newestFirst(there);
  return names.includes(target) ? [] : [noSuchRevision(target, `${namespace}/${name}`, names)];
}

function packUidOf(revision: KubeObject): string {
  return (revision['spec'] as PolicyPackRevisionSpec).packRef.uid;
}

/** The kind allows somewhat more than hosts give. */
function neverGiven({ deadlineMs = 0 }: Partial<PolicyPackSpec['evaluation']> = {}): readonly string[] {
  const { maxDeadlineMs } = HOST_LIMITS;
  if (deadlineMs <= maxDeadlineMs) return [];
  return [`spec.evaluation.deadlineMs: found ${deadlineMs}; at most ${maxDeadlineMs} are given`];
}

/** What the API server does not ask about, so that a rule for it never comes to anything. */
function neverAsked(
  { rules = [] }: Partial<PolicyPackSpec['binding']>,
  registered: readonly RegisteredRule[] | undefined,
): readonly string[] {
  return rules.flatMap(({ apiGroups, resources, operations = DEFAULT_OPERATIONS }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => unasked({ group, resource, operations }, registered)),
    ),
  );
}

/**
 * What is judged when it is written, and never looked at where it exists: of that, no report warns before a new version decides. Kinds of others are
 * looked at where the platform names them.
 */
function neverReported(
  { rules = [] }: Partial<PolicyPackSpec['binding']>,
  registered: readonly RegisteredRule[] | undefined,
): readonly string[] {
  const names = scannedBy([{ rules }]).beyond.filter((name) => {
    const [plural = '', ...rest] = name.split('.');
    const group = rest.join('.');
    if (operationsAskedAbout(group, plural).size === 0) return false;
    if (!isForeignGroup(group)) return true;
    // What the platform names is not known where its registration is not: then nothing is said that may be untrue.
    return registered !== undefined && !isNamedByPlatform({ group, plural }, registered);
  });
  if (names.length === 0) return [];
  const what = `${names.join(', ')} that exist are not read for reports`;
  return [
    `spec.binding.rules: ${what}, so what a new version would refuse of them is seen in shadow and cohorts alone`,
  ];
}

interface Bound {
  readonly group: string;
  readonly resource: string;
  readonly operations: readonly string[];
}

function unasked(
  { group, resource, operations }: Bound,
  registered: readonly RegisteredRule[] | undefined,
): readonly string[] {
  const asked = operationsAskedAbout(group, resource, registered);
  const missing = operations.filter((one) => one !== '*' && !asked.has(one));
  if (asked.size > 0 && missing.length === 0) return [];
  const name = group === '' ? resource : `${resource}.${group}`;
  const what = asked.size === 0 ? name : `${missing.join(' and ')} of ${name}`;
  const remedy =
    asked.size === 0 && isForeignGroup(group)
      ? '; the platform can have it ask (chart value webhooks.policy.resources)'
      : '';
  return [
    `spec.binding.rules: the API server does not ask about ${what}, so nothing of it is judged${remedy}`,
  ];
}
