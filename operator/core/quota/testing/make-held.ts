// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { QuotaLedgerSpec, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunSpec, RunStatus } from '#crds/v1alpha1/run';
import { type Agent, agentKey } from '../../agent/agent.ts';
import { makeRate } from '../../metering/testing/make.ts';
import type { KubeObject } from '../../object.ts';
import type { Run } from '../../run/run.ts';
import { ago, makeAgent, makeRun } from '../../run/testing/make.ts';
import type { Ledger } from '../../tenant/tenant.ts';

/** The namespace where Runs are, if nothing else is said. */
export const NAMESPACE = 'acme-dev';

/** What a case says of a Run. */
export interface RunChoice {
  readonly namespace?: string;
  readonly agent?: string;
  readonly priority?: number;
  /** Since when it is there, in seconds. */
  readonly age?: number;
  readonly spec?: Partial<RunSpec>;
  readonly status?: RunStatus;
}

/** A Run of that name, which is its uid as well. It waits, unless it is given a status. */
export function namedRun(name: string, choice: RunChoice = {}): Run {
  const { namespace = NAMESPACE, agent = 'agent', priority = 0, age = 60, spec = {}, status } = choice;
  const { metadata, ...run } = makeRun({ agentRef: { name: agent }, priority, ...spec }, status);
  return { ...run, metadata: { ...metadata, name, namespace, uid: name, creationTimestamp: ago(age) } };
}

/** A Run that runs, and its reservation of that number. `since`: when it was started, in seconds before now. */
export function heldRun(
  serial: number,
  name: string,
  {
    since = 30,
    reservation = {},
    ...choice
  }: RunChoice & { readonly since?: number; readonly reservation?: Partial<Reservation> } = {},
): { readonly run: Run; readonly reservation: Reservation } {
  const status: RunStatus = {
    phase: 'Running',
    attempt: 1,
    admittedAt: ago(since),
    startedAt: ago(since),
    child: { name: `${name}-1`, uid: 'pod' },
    usage: { open: { rate: makeRate(), reservation: serial } },
  };
  const run = namedRun(name, { age: 60, ...choice, status: { ...status, ...choice.status } });
  const { namespace = NAMESPACE, agent = 'agent' } = choice;
  return { run, reservation: { uid: name, namespace, name, agent, attempt: 1, serial, ...reservation } };
}

/** An Agent of that name in both namespaces, by their keys. */
export function namedAgent(name: string, spec: Parameters<typeof makeAgent>[0] = {}): [string, Agent][] {
  return [NAMESPACE, 'acme-prod'].map((namespace) => {
    const { metadata, ...agent } = makeAgent(spec);
    return [agentKey(namespace, name), { ...agent, metadata: { ...metadata, name, namespace } }];
  });
}

/** A ledger in which Runs may end others. */
export function preemptingLedger(
  spec: Partial<QuotaLedgerSpec>,
  reservations: readonly Reservation[],
): Ledger {
  const lastSerial = Math.max(0, ...reservations.map(({ serial = 0 }) => serial));
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
    spec: {
      tenantUID: 'tenant-uid',
      suspended: false,
      namespaces: [NAMESPACE],
      preemption: 'LowerPriority',
      ...spec,
    },
    status: { reservations: [...reservations], lastSerial },
  };
}

/** Our ResourceQuota of a namespace, as the API server counts it. */
export function countedQuota(
  namespace: string,
  hard: Readonly<Record<string, string>>,
  used: Readonly<Record<string, string>>,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: {
      name: 'nexusos',
      namespace,
      uid: 'quota-uid',
      resourceVersion: '42',
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: 'acme' },
      annotations: { [ANNOTATIONS.tenantUid]: 'tenant-uid', [ANNOTATIONS.grantRevision]: '1' },
    },
    spec: { hard },
    status: { hard, used },
  };
}
