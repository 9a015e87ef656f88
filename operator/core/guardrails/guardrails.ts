// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import { exemptionGuardrail } from './exemptions.ts';
import { leavingGuardrail } from './leaving.ts';
import { moduleGuardrail } from './modules.ts';
import { networkPolicyGuardrail } from './network-policies.ts';
import { gpuClassGuardrail } from './node-rules.ts';
import { queueGuardrails } from './queues.ts';
import { operatorGuardrails } from './operator.ts';
import {
  managedObjectGuardrails,
  namespaceDeletionGuardrail,
  namespaceGuardrail,
  namespaceMarkGuardrail,
  recordGuardrail,
  tenantDeletionGuardrail,
} from './ownership.ts';
import { type Guardrail, type GuardrailSettings, toObjects } from './policy.ts';
import { leaseGuardrail, replicaGuardrail } from './replicas.ts';
import { roleBindingGuardrail } from './role-bindings.ts';
import { runGuardrail } from './runs.ts';
import { scheduleGuardrail } from './schedules.ts';
import { serviceGuardrail } from './services.ts';
import { verdictKeyGuardrail } from './verdicts.ts';
import { volumeClaimGuardrail } from './volumes.ts';
import { priorityGuardrails, workloadGuardrails } from './workloads.ts';

/**
 * The ValidatingAdmissionPolicies, with their bindings, that bound what tenants, and the operator itself, may write. The API server evaluates them
 * itself, so they hold when no process of NexusOS runs. They are the same for any number of tenants: what differs is
 * read from the ConfigMap `nexusos-guardrails` of the namespace.
 */
export function guardrails(settings: GuardrailSettings): readonly KubeObject[] {
  const all: readonly Guardrail[] = [
    ...workloadGuardrails(settings),
    ...priorityGuardrails(settings),
    serviceGuardrail(),
    networkPolicyGuardrail(),
    roleBindingGuardrail(),
    volumeClaimGuardrail(settings),
    // Before what leaves new Runs to it: whoever applies these applies them in this order.
    runGuardrail(settings),
    ...managedObjectGuardrails(settings),
    leavingGuardrail(settings),
    namespaceGuardrail(settings),
    namespaceMarkGuardrail(settings),
    namespaceDeletionGuardrail(settings),
    tenantDeletionGuardrail(),
    recordGuardrail(settings),
    scheduleGuardrail(),
    exemptionGuardrail(settings),
    moduleGuardrail(settings),
    gpuClassGuardrail(settings),
    replicaGuardrail(settings),
    leaseGuardrail(settings),
    verdictKeyGuardrail(settings),
    ...operatorGuardrails(settings),
  ];
  return all.flatMap(toObjects);
}

/** Those beside them where Kueue decides on capacity. */
export function kueueGuardrails(settings: GuardrailSettings): readonly KubeObject[] {
  return queueGuardrails(settings).flatMap(toObjects);
}
