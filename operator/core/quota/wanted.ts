// SPDX-License-Identifier: Apache-2.0
import type { DeviceRequest } from '../capacity/device-queue.ts';
import { defined } from '../object.ts';
import type { Candidate } from './admit.ts';
import { type Amounts, amountOf, larger } from './amounts.ts';
import { formatQuantity } from './quantity.ts';

/** What a Run with `gpu` asks for on nodes. */
export function deviceRequest(
  { uid, namespace, name, pods }: Candidate,
  gpu: NonNullable<Candidate['gpu']>,
): DeviceRequest {
  return { uid, namespace, name, class: gpu.class, count: gpu.count / (pods ?? 1), ...defined({ pods }) };
}

/** How the devices of a Run of many pods are dealt out to these; nothing of a Run of one. */
export function dealtOut({ pods, gpu }: Candidate): string {
  return pods === undefined || gpu === undefined ? '' : ` (${pods} pods, with ${gpu.count / pods} each)`;
}

/**
 * What is missing of quota, in words. Of a Run of many pods also how much of it is wanted for all of them at once, and how much there is:
 * what is free would often do for some.
 */
export function missingAmounts(keys: readonly string[], { pods, demand }: Candidate, free: Amounts): string {
  const sorted = keys.toSorted();
  if (pods === undefined) return sorted.join(', ');
  const figures = sorted.map((key) => {
    const format = /memory|storage/.test(key) ? 'binary' : 'decimal';
    const left = formatQuantity(larger(0n, amountOf(free, key)), format);
    return `${key} (found ${left}, wanted ${formatQuantity(amountOf(demand, key), format)})`;
  });
  return `${figures.join(', ')}, for ${pods} pods at once`;
}
