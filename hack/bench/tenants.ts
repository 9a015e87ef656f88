// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { startOperator } from '../system/operator-process.ts';
import { auditedWrites, auditPosition } from './audit-writes.ts';
import { type BenchEnvironment, isReady, sampleTenant, TENANTS } from './environment.ts';
import { rawWriteSeconds } from './floor.ts';
import { residentMegabytes } from './process-memory.ts';
import { componentPid, startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { SILENCE_SECONDS, writesInSilence } from './steady-state.ts';
import { secondsUntilDone } from './until-done.ts';

const CREATORS = 8;
/** After the last Ready, what may still be written: usage, which is written every few seconds at most. */
const SETTLE_MS = 15_000;

/**
 * `count` tenants from nothing to Ready, beside the same number of raw writes as the operator made; then silence; then
 * memory. The bars are those of design section 8. Processor time, unlike wall time, says much on a busy machine too.
 */
export async function measureTenants(
  environment: BenchEnvironment,
  count: number,
): Promise<readonly Figure[]> {
  const { cluster, auditLog, operatorUser } = environment;
  const operator = await startOperator(cluster);
  const programs = {
    operator: operator.pid,
    'API server': await componentPid(cluster, 'kube-apiserver'),
    etcd: await componentPid(cluster, 'etcd'),
  };
  const from = await auditPosition(auditLog);
  const timer = await startTimer(programs);
  const objects = Array.from({ length: count }, (_, index) => sampleTenant(`bench-${index}`));
  const load = { resource: TENANTS, objects, width: CREATORS, isDone: isReady };
  const seconds = await secondsUntilDone(environment.client, load);
  await delay(SETTLE_MS);
  const spent = await timer.figures('tenant', count);
  const writes = await auditedWrites(auditLog, from, operatorUser);
  const memory = await residentMegabytes(operator.pid);
  const silent = await writesInSilence(environment);
  await operator.stop();
  const floor = await rawWriteSeconds(environment, writes.length);
  return [
    { name: `${count} tenants from nothing to Ready`, value: seconds, unit: 's', bar: { atMost: 90 } },
    { name: `floor: ${writes.length} raw creates, one shared pool`, value: floor, unit: 's' },
    { name: 'floor / operator', value: floor / seconds, unit: '' },
    ...spent,
    { name: 'writes of the operator per tenant', value: writes.length / count, unit: '' },
    { name: 'refused writes among them', value: writes.filter((one) => one.code >= 400).length, unit: '' },
    {
      name: `writes in ${SILENCE_SECONDS} s of steady state`,
      value: silent.length,
      unit: '',
      bar: { atMost: 0 },
    },
    { name: 'memory of the operator (RSS)', value: memory, unit: 'MB', bar: { atMost: 400 } },
  ];
}
