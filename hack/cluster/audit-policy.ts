// SPDX-License-Identifier: Apache-2.0

/**
 * The API server's audit policy: who did what to which object, one line per request that was answered.
 * Requests for our own group carry their body, so that a test can tell what a write said; no other body is
 * kept, Secrets above all.
 */
export function auditPolicy(): Record<string, unknown> {
  return {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    omitManagedFields: true,
    rules: [{ level: 'Request', resources: [{ group: 'nexusos.dev' }] }, { level: 'Metadata' }],
  };
}
