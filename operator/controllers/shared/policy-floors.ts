// SPDX-License-Identifier: Apache-2.0
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject } from '../../core/object.ts';
import { slotOf, TRIAL_POLICY } from '../../core/policy-floor/names.ts';
import type { FloorsSeen } from '../../core/policy-floor/standing.ts';
import { ADMISSION_POLICIES, ADMISSION_POLICY_BINDINGS } from '../../core/resources.ts';
import type { Reader, Watch } from '../../runtime/controller.ts';

const labelSelector = `${LABELS.managedBy}=${MANAGED_BY},${LABELS.packUid}`;

/** What has to be watched for `floorsSeen`. `keys`: whom a policy, or what binds it, concerns. */
export function floorWatches(keys: Watch['keys']): readonly Watch[] {
  return [ADMISSION_POLICIES, ADMISSION_POLICY_BINDINGS].map((resource) => ({
    resource,
    labelSelector,
    keys,
  }));
}

/** Policies of floors, and what binds them. Others may have our labels too: only names that are ours count. */
export function floorsSeen(read: Reader): FloorsSeen {
  return {
    policies: read.list(ADMISSION_POLICIES).filter(isOurs),
    bindings: read.list(ADMISSION_POLICY_BINDINGS).filter(isOurs),
  };
}

function isOurs({ metadata }: KubeObject): boolean {
  return slotOf(metadata.name) !== undefined || metadata.name === TRIAL_POLICY;
}
