// SPDX-License-Identifier: Apache-2.0
import type { MeteredAttempt, Rate } from '#crds/v1alpha1/run-usage';
import type { UsageHistory, WindowName, WindowUse } from '#crds/v1alpha1/usage-history';
import { meter } from '../amounts.ts';
import { windowStart } from '../history.ts';
import { formatMicro } from '../micro.ts';
import { makeRate, makeUse } from './make.ts';

/** An attempt of one core for so many seconds, with a call of a tool, that was settled at an instant. */
export function makeAttempt(
  settledAt: string,
  seconds: number,
  more: Partial<Pick<MeteredAttempt, 'attempt' | 'reservation'>> & { readonly rate?: Partial<Rate> } = {},
): MeteredAttempt {
  const { rate = {}, attempt = 1, reservation } = more;
  const whole = makeRate({ cpuMillicores: 1000, ...rate });
  const pods = [makeUse(seconds, { toolCalls: 1, inputTokens: 100 })];
  return {
    attempt,
    settledAt,
    rate: whole,
    pods,
    runUnits: formatMicro(meter(whole, pods).runUnits),
    ...(reservation !== undefined && { reservation }),
  };
}

/** What a ledger of before has of each length: windows that are over were kept in it. */
const KEPT_BEFORE = { minute: 2, hour: 24, day: 31, month: 13 } as const satisfies Record<WindowName, number>;
const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** The history of a tenant who has used something in each hour of the last thirteen months, as ledgers of before have it. */
export function yearOldHistory(now: Date): UsageHistory {
  const windows = (Object.keys(KEPT_BEFORE) as WindowName[]).flatMap((window) =>
    Array.from({ length: KEPT_BEFORE[window] }, (_, i) => usedIn(window, back(window, i, now), i)),
  );
  return { windows, tiers: [{ tier: 'standard', runUnits: '123456.789' }] };
}

function back(window: WindowName, steps: number, now: Date): string {
  const then =
    window === 'month'
      ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - steps)
      : now.getTime() - steps * STEP_MS[window];
  return windowStart(window, `${new Date(then).toISOString().slice(0, 19)}Z`);
}

function usedIn(window: WindowName, start: string, i: number): WindowUse {
  return {
    window,
    start,
    attempts: 1000 + i,
    amounts: {
      cpuSeconds: `${4321 + i}.123456`,
      memoryByteSeconds: `${987_654_321 + i}`,
      gpuSeconds: '0',
      runUnits: `${4567 + i}.654321`,
    },
    reported: { inputTokens: 1_234_567 + i, toolCalls: 456 + i },
  };
}
