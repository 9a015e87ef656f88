// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import type { AdmissionRequest } from '../review.ts';
import type { Facts } from './facts.ts';
import type { Verdict } from './verdict.ts';

/** Users of a class that are named. */
const MAX_NAMED = 5;

/** Whether a class may go: not while Agents name it, whose Runs would wait for ever. */
export function judgeGPUClass({ operation, name }: AdmissionRequest, facts: Facts): Verdict {
  if (operation !== 'DELETE') return {};
  const agents = facts.agentsOfClass(name);
  if (agents.length > 0) {
    const message = `GPU class ${name} is in use by ${namesOf('Agent', agents)}; change or delete these first`;
    return { refusals: [{ code: 'conflict', message, field: 'metadata.name' }] };
  }
  const tenants = facts.tenantsOfClass(name);
  return tenants.length === 0
    ? {}
    : { warnings: [`GPU class ${name} is in the quotas of ${namesOf('Tenant', tenants)}`] };
}

function namesOf(kind: string, objects: readonly KubeObject[]): string {
  const names = objects
    .map(({ metadata: { namespace, name } }) => (namespace === undefined ? name : `${namespace}/${name}`))
    .toSorted();
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return `${names.length === 1 ? kind : `${kind}s`} ${names.slice(0, MAX_NAMED).join(', ')}${more}`;
}
