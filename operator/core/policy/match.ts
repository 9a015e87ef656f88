// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import { DEFAULT_POLICY_RULES } from '#crds/v1alpha1/policy-binding';
import {
  isNamespaceReview,
  labelsOf,
  type NamespaceFacts,
  type RequestFacts,
  type TenantFacts,
} from './facts.ts';
import type { JsonObject, Review } from './review.ts';
import { type LabelSelector, matchesGlob, selects } from './selector.ts';

/** Requests by group, resource and operation, as webhook configurations write them; `*` is any. */
export interface BindingRule {
  readonly apiGroups: readonly string[];
  /** `pods`, `pods/status`, `pods/*` for both, `*` for all but subresources; `*` may stand on either side. */
  readonly resources: readonly string[];
  readonly operations?: readonly string[] | undefined;
}

/** Which tenants a pack of the platform is for: those that one of these names; with none of them, every tenant. */
export interface TenantBinding {
  readonly names?: readonly string[] | undefined;
  readonly plans?: readonly string[] | undefined;
  readonly selector?: LabelSelector | undefined;
}

/** What a pack is asked about. Every part that is there must hold. */
export interface Binding {
  readonly rules?: readonly BindingRule[] | undefined;
  readonly namespaceSelector?: LabelSelector | undefined;
  readonly objectSelector?: LabelSelector | undefined;
  readonly tenants?: TenantBinding | undefined;
  /** Names, where `*` stands for any text. */
  readonly excludedNamespaces?: readonly string[] | undefined;
}

/** What a rule means that names no operations: to refuse a deletion is seldom meant, and would keep a namespace from going. */
export const DEFAULT_OPERATIONS: readonly string[] = ['CREATE', 'UPDATE'];

/** By `group/resource`: what no pack is ever asked about. Without these there would be no way back from a pack that refuses everything. */
export const BEYOND_POLICY: ReadonlySet<string> = new Set([
  `${GROUP}/policypacks`,
  `${GROUP}/policypackrevisions`,
  `${GROUP}/policyexemptions`,
  `${GROUP}/policyreplicas`,
  `${GROUP}/quotaledgers`,
  `${GROUP}/usagerecords`,
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'coordination.k8s.io/leases',
  '/nodes',
  '/endpoints',
  '/events',
  'events.k8s.io/events',
  'discovery.k8s.io/endpointslices',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/subjectaccessreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'apiextensions.k8s.io/customresourcedefinitions',
]);

/** Namespaces that the cluster itself lives in. */
export const SYSTEM_NAMESPACES: ReadonlySet<string> = new Set([
  'kube-system',
  'kube-public',
  'kube-node-lease',
]);

/** Whether no pack is ever asked about objects of a kind, wherever they are. */
export function isBeyondPacks({ group, resource }: Pick<Review['resource'], 'group' | 'resource'>): boolean {
  return BEYOND_POLICY.has(`${group}/${resource}`);
}

/** Whether no pack may be asked about a request: the cluster and the way back from a bad pack depend on such. */
export function isBeyondPolicy(review: Review, platformNamespace: string): boolean {
  if (isBeyondPacks(review.resource)) return true;
  return SYSTEM_NAMESPACES.has(review.namespace) || review.namespace === platformNamespace;
}

/** Whether a pack so bound is asked about the request. One function for webhook, scan and CLI. */
export function matches(binding: Binding, review: Review, facts: RequestFacts): boolean {
  return (
    rulesOf(binding).some((rule) => ruleMatches(rule, review)) &&
    isInNamespaces(binding, review, facts.namespace) &&
    objectIsSelected(binding.objectSelector, review) &&
    isForTenant(binding.tenants, facts)
  );
}

/** The rules of a binding, or what counts where it has none. */
export function rulesOf({ rules }: Pick<Binding, 'rules'>): readonly BindingRule[] {
  return rules === undefined || rules.length === 0 ? DEFAULT_POLICY_RULES : rules;
}

/** Whether a rule names the request. */
function ruleMatches(rule: BindingRule, review: Review): boolean {
  return (
    names(rule.apiGroups, review.resource.group) &&
    names(rule.operations ?? DEFAULT_OPERATIONS, review.operation) &&
    rule.resources.some((one) => resourceMatches(one, review))
  );
}

function names(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

function resourceMatches(pattern: string, review: Review): boolean {
  const [resource = '', subResource = ''] = pattern.split('/', 2);
  if (resource !== '*' && resource !== review.resource.resource) return false;
  // `pods/*` is the pod as well as all below, as the API server reads it.
  return subResource === '*' || subResource === review.subResource;
}

/** Objects that are in no namespace are neither selected nor excluded by one; a Namespace counts as in itself. */
function isInNamespaces(
  binding: Pick<Binding, 'namespaceSelector' | 'excludedNamespaces'>,
  review: Review,
  namespace: NamespaceFacts | undefined,
): boolean {
  const name = isNamespaceReview(review) ? review.name || review.namespace : review.namespace;
  if (name === '') return true;
  if (binding.excludedNamespaces?.some((pattern) => matchesGlob(pattern, name)) === true) return false;
  return selects(binding.namespaceSelector, namespaceLabels(review, namespace));
}

/** A Namespace that is being made is in no cache yet, and one that is changed is judged as it will be. */
function namespaceLabels(review: Review, namespace: NamespaceFacts | undefined) {
  if (isNamespaceReview(review)) return labelsOf(review.object ?? review.oldObject);
  return namespace?.labels ?? {};
}

/** As with webhooks: either the object or what it was before is selected, so that no label takes it out of reach. */
function objectIsSelected(selector: LabelSelector | undefined, review: Review): boolean {
  if (selector === undefined) return true;
  const isSelected = (object: JsonObject | undefined) =>
    object !== undefined && selects(selector, labelsOf(object));
  return isSelected(review.object) || isSelected(review.oldObject);
}

/** Whether a binding means a tenant; without any, it means requests that are in none as well. */
export function isForTenant(
  tenants: TenantBinding | undefined,
  { tenant }: Pick<RequestFacts, 'tenant'>,
): boolean {
  if (tenants === undefined) return true;
  return tenant !== undefined && isTenantBound(tenants, tenant);
}

/** Whether a binding to tenants names one. */
export function isTenantBound(tenants: TenantBinding | undefined, tenant: TenantFacts): boolean {
  if (tenants === undefined) return true;
  const { names: listed, plans, selector } = tenants;
  const isEvery = listed === undefined && plans === undefined && selector === undefined;
  const isNamed = [listed?.includes(tenant.name), plans?.includes(tenant.plan)].includes(true);
  return isEvery || isNamed || (selector !== undefined && selects(selector, tenant.labels));
}
