// SPDX-License-Identifier: Apache-2.0

/** Kinds whose writes are kept with what was written, by the plural names of an API group. */
export interface AuditedBodies {
  /** Empty for the core group. */
  readonly group: string;
  /** Subresources are named as `pods/status`. */
  readonly resources: readonly string[];
}

/**
 * The API server's audit policy: who did what to which object, one line per request that was answered. No body is kept, as Secrets and
 * inputs of Runs have no place in a log, but of writes of `bodiesOf`, which only tests name.
 */
export function auditPolicy(bodiesOf: readonly AuditedBodies[] = []): Record<string, unknown> {
  const kept = {
    level: 'RequestResponse',
    verbs: ['create', 'update', 'patch', 'delete'],
    resources: bodiesOf,
    omitManagedFields: true,
  };
  return {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    // Without resources a rule would hold for all of them.
    rules: [...(bodiesOf.length > 0 ? [kept] : []), { level: 'Metadata' }],
  };
}
