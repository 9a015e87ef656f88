// SPDX-License-Identifier: Apache-2.0
import type { PolicyFloor } from '#crds/v1alpha1/policy-floor';
import type { KubeObject } from '../object.ts';
import type { PackFault, PackRequest } from '../policy-pack/verification.ts';
import { FLOOR_FILE } from './source.ts';
import { type FloorSettings, type FloorSource, trialPolicy } from './objects.ts';
import { TRIAL_POLICY } from './names.ts';

/** The policy that a floor is tried as. It is bound to nothing. */
export function trialOf(
  { key, pack, spec }: PackRequest,
  floor: PolicyFloor,
  settings: FloorSettings,
): KubeObject {
  const [namespace = '', name = ''] = pack.split('/');
  const source: FloorSource = {
    pack: { namespace, name, uid: 'trial' },
    revision: key,
    version: 'draft',
    contact: undefined,
    floor,
    binding: spec.binding,
    parameters: spec.parameters,
    enforcement: spec.enforcement,
  };
  return trialPolicy(TRIAL_POLICY, source, settings);
}

interface TypeChecked {
  readonly observedGeneration?: number;
  readonly typeChecking?: {
    readonly expressionWarnings?: readonly { readonly fieldRef: string; readonly warning: string }[];
  };
}

/** What the API server says of the fields that a floor asks for, once it has looked; `pending` until then. */
export function typesChecked(policy: KubeObject, floor: PolicyFloor): 'pending' | PackFault | undefined {
  const status = (policy['status'] ?? {}) as TypeChecked;
  if (status.observedGeneration === undefined) return 'pending';
  const generation = (policy.metadata as { readonly generation?: number }).generation ?? 0;
  if (status.observedGeneration < generation) return 'pending';
  const warnings = status.typeChecking?.expressionWarnings ?? [];
  if (warnings.length === 0) return undefined;
  const words = warnings.map(({ fieldRef, warning }) => `${ruleAt(fieldRef, floor)}: ${oneLine(warning)}`);
  return refusedBy(`${words.join('; ')}. What not every kind has is asked for as dyn(object)`);
}

/** The API server will not have it, in its words. */
export function refusedBy(words: string): PackFault {
  return { reason: 'FloorRefused', message: `${FLOOR_FILE}: ${oneLine(words)}`, passing: false };
}

/** ruleAt('spec.validations[2].expression') -> 'rule host-path' */
function ruleAt(fieldRef: string, { rules }: PolicyFloor): string {
  const [, index] = /^spec\.validations\[(\d+)\]/.exec(fieldRef) ?? [];
  const rule = index === undefined ? undefined : rules[Number(index)]?.rule;
  return rule === undefined ? fieldRef : `rule ${rule}`;
}

const MAX_WORDS = 2000;

function oneLine(text: string): string {
  return text.toWellFormed().replaceAll(/\s+/g, ' ').slice(0, MAX_WORDS).trim();
}
