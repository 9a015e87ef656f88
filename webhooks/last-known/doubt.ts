// SPDX-License-Identifier: Apache-2.0
import { GROUP, LABELS } from '#crds/v1alpha1/names';
import { canonicalJson } from '#operator/core/compare';
import type { KubeObject } from '#operator/core/object';
import type { Run } from '#operator/core/run/run';
import type { AdmissionRequest } from '../review.ts';

/** What of what was kept says whether it knows enough. */
export interface KeptFacts {
  readonly namespace: (name: string) => KubeObject | undefined;
  readonly tenant: (name: string) => unknown;
  readonly agent: (namespace: string, name: string) => unknown;
}

/** Of our kinds, those that are also where no tenant is. */
const OF_PLATFORM: ReadonlySet<string> = new Set(['policyexemptions', 'policypacks']);

/**
 * Why a request cannot be judged by what was kept of an earlier time; undefined where it can. Only namespaces of tenants ask about workloads: one that is not known as
 * such says that what was kept is of before it. A Tenant is judged beside all others, and a GPUClass that is to go by who names it: nobody tells who has come since.
 */
export function doubtOf(request: AdmissionRequest, facts: KeptFacts): string | undefined {
  const { group, resource } = request.resource;
  if (group === GROUP && resource === 'tenants')
    return isAnotherSpec(request)
      ? 'a Tenant is judged beside all others, and some may have come since'
      : undefined;
  if (request.operation === 'DELETE')
    return group === GROUP && resource === 'gpuclasses'
      ? 'Agents that name the class may have come since'
      : undefined;
  if (request.namespace === '') return undefined;
  return whereOf(request, facts) ?? ofAgent(request, facts);
}

/** A Run is judged by its Agent: what of that cannot be known would be looked over. */
function ofAgent(
  { operation, namespace, resource, object }: AdmissionRequest,
  facts: KeptFacts,
): string | undefined {
  if (resource.group !== GROUP || resource.resource !== 'runs' || operation !== 'CREATE') return undefined;
  const { name = '' } = (object as Partial<Run> | null)?.spec?.agentRef ?? {};
  return facts.agent(namespace, name) === undefined
    ? `Agent ${name} of namespace ${namespace} is not among what was kept`
    : undefined;
}

/** Where a request is must be known; and as a tenant's, but for packs and exemptions: it may have been adopted since. */
function whereOf({ namespace, resource }: AdmissionRequest, facts: KeptFacts): string | undefined {
  const known = facts.namespace(namespace);
  if (known === undefined) return `namespace ${namespace} is not among what was kept`;
  const tenant = known.metadata.labels?.[LABELS.tenant];
  if (tenant === undefined)
    return resource.group === GROUP && OF_PLATFORM.has(resource.resource)
      ? undefined
      : `namespace ${namespace} was no tenant's when this was kept`;
  return facts.tenant(tenant) === undefined
    ? `tenant ${tenant} of namespace ${namespace} is not among what was kept`
    : undefined;
}

/** What is there already is refused nothing while its spec stays as it is. */
function isAnotherSpec({ operation, object, oldObject }: AdmissionRequest): boolean {
  if (operation === 'DELETE') return false;
  return canonicalJson(object?.['spec'] ?? null) !== canonicalJson(oldObject?.['spec'] ?? null);
}
