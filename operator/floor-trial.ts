// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyFloor } from '#crds/v1alpha1/policy-floor';
import type { KubeObject } from './core/object.ts';
import { TRIAL_POLICY } from './core/policy-floor/names.ts';
import type { FloorSettings } from './core/policy-floor/objects.ts';
import { revisionOf } from './core/policy-floor/plan.ts';
import { refusedBy, trialOf, typesChecked } from './core/policy-floor/trial.ts';
import type { PackFault, PackRequest } from './core/policy-pack/verification.ts';
import { ADMISSION_POLICIES } from './core/resources.ts';
import { ApiError } from './runtime/api-error.ts';
import type { Client } from './runtime/client.ts';

const MANAGER = 'nexusos-policy-floor';
/** How long the controller of Kubernetes that looks at types may take. */
const CHECK_MS = 20_000;
const POLL_MS = 200;
const KEY = { name: TRIAL_POLICY } as const;

/**
 * Has the API server look at the floor of a pack before the pack has a revision: as a policy that nothing binds, so it judges nobody. What
 * a process that ends meanwhile leaves behind is written over by the next trial, or cleared away.
 */
export async function tryFloor(
  client: Pick<Client, 'apply' | 'get' | 'delete'>,
  {
    request,
    floor,
    settings,
  }: { readonly request: PackRequest; readonly floor: PolicyFloor; readonly settings: FloorSettings },
): Promise<PackFault | undefined> {
  try {
    const made = await client.apply(ADMISSION_POLICIES, trialOf(request, floor, settings), MANAGER);
    return await awaitTypes(client, made, floor);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 422 || error.status === 400))
      return refusedBy(error.words);
    throw error;
  } finally {
    // It stays where it is if that fails, and is of no effect.
    await client.delete(ADMISSION_POLICIES, KEY).catch(() => undefined);
  }
}

async function awaitTypes(
  client: Pick<Client, 'get'>,
  made: KubeObject,
  floor: PolicyFloor,
): Promise<PackFault | undefined> {
  const endsAt = performance.now() + CHECK_MS;
  while (performance.now() < endsAt) {
    const policy = await client.get(ADMISSION_POLICIES, KEY);
    // Another operator tries another one: this is tried again.
    if (policy === undefined || revisionOf(policy) !== revisionOf(made))
      throw new Error('the trial of a floor was written over');
    const found = typesChecked(policy, floor);
    if (found !== 'pending') return found;
    await sleep(POLL_MS);
  }
  const message =
    'the floor could not be tried: the controller manager of Kubernetes, which looks at the types of policies, does not answer; it is tried again';
  return { reason: 'VerificationFailed', message, passing: true };
}
