// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { type AuditedWrite, auditedWrites, auditPosition } from './audit-writes.ts';
import type { BenchEnvironment } from './environment.ts';

const SILENCE_MS = 60_000;
const LOOK_MS = 2000;

/** How long steady state is listened to, in seconds. */
export const SILENCE_SECONDS = SILENCE_MS / 1000;

/** What the operator writes in a minute in which nobody wants anything of it. */
export async function writesInSilence({
  auditLog,
  operatorUser,
}: BenchEnvironment): Promise<readonly AuditedWrite[]> {
  const from = await auditPosition(auditLog);
  await delay(SILENCE_MS);
  return auditedWrites(auditLog, from, operatorUser);
}

/** When the operator counts as settled. */
export interface Settling {
  /** It has written nothing for so long. */
  readonly quietMs: number;
  /** It is not waited for any longer: what it writes then counts. */
  readonly atMostMs: number;
}

/** Waits until the operator has settled. Returns after how many seconds it wrote for the last time. */
export async function settle(
  { auditLog, operatorUser }: BenchEnvironment,
  { quietMs, atMostMs }: Settling,
): Promise<number> {
  const startedAt = performance.now();
  let lastWriteAt = startedAt;
  let from = await auditPosition(auditLog);
  while (performance.now() - lastWriteAt < quietMs && performance.now() - startedAt < atMostMs) {
    await delay(LOOK_MS);
    const next = await auditPosition(auditLog);
    const writes = await auditedWrites(auditLog, from, operatorUser);
    from = next;
    if (writes.length > 0) lastWriteAt = performance.now();
  }
  return (lastWriteAt - startedAt) / 1000;
}
