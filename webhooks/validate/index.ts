// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import type { Prices } from '#operator/core/metering/prices';
import type { Cache } from '#operator/runtime/cache';
import type { Validation } from '../admission.ts';
import { ALLOWED, type AdmissionRequest } from '../review.ts';
import { judgeAgent } from './agent.ts';
import { type Facts, factsOf } from './facts.ts';
import { judgeGPUClass } from './gpu-class.ts';
import { judgePolicyExemption } from './policy-exemption.ts';
import { judgePolicyPack } from './policy-pack.ts';
import { judgeRun } from './run.ts';
import { judgeTenant } from './tenant.ts';
import { answerOf, asksForChange, type Verdict } from './verdict.ts';

/** What of the platform objects are judged by. */
export interface ValidationSettings {
  /** Namespace of the platform. */
  readonly namespace: string;
  /** What tenants pay. */
  readonly prices: Prices;
}

/** What judges objects of ours by what stores tell at that moment. */
export function validateRequest(cache: Cache, settings: ValidationSettings): Validation {
  const facts = factsOf(cache);
  return (request) => {
    const { resource, operation, subResource } = request;
    const isOurs = resource.group === GROUP && (subResource ?? '') === '';
    if (!isOurs || (operation !== 'DELETE' && !asksForChange(request))) return ALLOWED;
    return answerOf(verdictOn(request, facts, settings));
  };
}

function verdictOn(
  request: AdmissionRequest,
  facts: Facts,
  { namespace, prices }: ValidationSettings,
): Verdict {
  const settings = { platformNamespace: namespace, prices };
  switch (request.resource.resource) {
    case 'tenants':
      return judgeTenant(request, facts, settings);
    case 'agents':
      return judgeAgent(request, facts);
    case 'runs':
      return judgeRun(request, facts);
    case 'gpuclasses':
      return judgeGPUClass(request, facts);
    case 'policypacks':
      return judgePolicyPack(request, facts, settings);
    case 'policyexemptions':
      return judgePolicyExemption(request, facts, settings);
    default:
      return {};
  }
}
