// SPDX-License-Identifier: Apache-2.0
import type { QuotaLedgerStatus, Reservation } from '#crds/v1alpha1/quota-ledger';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { LEASE_NAME } from '../../config.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import { LEASES } from '../../runtime/lease.ts';
import { QUOTA_LEDGERS } from '../../core/resources.ts';
import type { OwnWorkloadRig } from './workload-rig.ts';

/** The value of a metric of the operator with these labels, in any order; 0 where it was never counted. */
export async function metricOf(
  rig: OwnWorkloadRig,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  const lines = (await rig.operatorMetrics()).split('\n');
  const found = lines.find(
    (line) => /^[^{ ]*/.exec(line)?.[0] === name && wanted.every((one) => line.includes(one)),
  );
  return Number(found?.split(' ').at(-1) ?? '0');
}

/** Another replica takes the lease from the operator, which goes on as one that stands by, and gives it back after `meanwhile`. */
export async function whileAnotherLeads(
  rig: OwnWorkloadRig,
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  const takes = (spec: object) =>
    rig.client.patch(LEASES, { namespace: PLATFORM_NAMESPACE, name: LEASE_NAME }, { body: { spec } });
  await takes({ holderIdentity: 'another', leaseDurationSeconds: 3600 });
  try {
    await eventually('the operator stands by', async () => (await metricOf(rig, 'nexusos_leader')) === 0);
    await meanwhile();
  } finally {
    await takes({ holderIdentity: '' });
  }
  await eventually('it leads again', async () => (await metricOf(rig, 'nexusos_leader')) === 1);
}

/**
 * Writes, as a replica that leads would, what a ledger is to be, and waits until the operator, which stands by, has seen it: with its
 * pass over the ledger as it was before, what is to be shown would not happen.
 */
export async function writeLedger(
  rig: OwnWorkloadRig,
  tenant: string,
  change: (status: QuotaLedgerStatus) => QuotaLedgerStatus,
): Promise<void> {
  const seen = () => metricOf(rig, 'nexusos_watch_events_total', { resource: QUOTA_LEDGERS.plural });
  const before = await seen();
  // What the operator was about to write may come between.
  await eventually(`the ledger of ${tenant} is written`, async () => {
    const ledger = (await rig.client.get(QUOTA_LEDGERS, { name: tenant })) as Ledger;
    return rig.client.replaceStatus(
      QUOTA_LEDGERS,
      { ...ledger, status: change(ledger.status ?? {}) },
      'test',
    );
  });
  await eventually('the operator has seen it', async () => (await seen()) > before);
}

/** Reserves for a Run, as a replica that leads would. */
export function reserve(rig: OwnWorkloadRig, tenant: string, reservation: Reservation): Promise<void> {
  return writeLedger(rig, tenant, ({ reservations = [], lastSerial = 0, ...status }) => {
    const serial = lastSerial + 1;
    return { ...status, reservations: [...reservations, { ...reservation, serial }], lastSerial: serial };
  });
}
