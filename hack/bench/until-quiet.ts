// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../tools/eventually.ts';
import { auditedWrites, auditPosition } from './audit-writes.ts';

/** Longer than anything that is written by time, counts in a status for one, waits for its turn. */
const QUIET_MS = 6000;

/** Resolves when nobody has written anything but Leases for a while: what comes after is of what is begun then. */
export async function untilQuiet(auditLog: string, quietMs = QUIET_MS): Promise<void> {
  await eventually('nobody writes any more', async () => {
    const from = await auditPosition(auditLog);
    await delay(quietMs);
    return (await auditedWrites(auditLog, from)).length === 0;
  });
}
