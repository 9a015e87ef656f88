// SPDX-License-Identifier: Apache-2.0

/**
 * The API server's audit policy: who did what to which object, one line per request that was answered. No body is kept: Secrets and
 * inputs of Runs have no place in a log.
 */
export function auditPolicy(): Record<string, unknown> {
  return {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    rules: [{ level: 'Metadata' }],
  };
}
