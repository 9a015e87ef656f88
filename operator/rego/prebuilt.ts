// SPDX-License-Identifier: Apache-2.0
import type { EntrypointRole, PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import { ENTRYPOINT_ROLES } from '#crds/v1alpha1/policy-pack-revision';

type Entrypoint = PolicyPackRevisionSpec['entrypoints'][number];

/**
 * What the entry points of a module answer that somebody else has compiled: the last part of the path says so, as with rules. Those that
 * nobody asks are left out.
 */
export function rolesOf(entrypoints: readonly string[]): Entrypoint[] {
  return entrypoints.flatMap((path) => {
    const last = path.split('/').at(-1) ?? '';
    const role = ENTRYPOINT_ROLES.find((one) => one === last);
    return role === undefined ? [] : [{ path, role }];
  });
}

/** Whether a module that answers these may change what it judges. */
export function mayChange(roles: readonly { readonly role: EntrypointRole }[]): boolean {
  // What is redacted is changed, and a whole decision may hold anything.
  return roles.some(({ role }) => role === 'mutate' || role === 'dlp' || role === 'decision');
}
