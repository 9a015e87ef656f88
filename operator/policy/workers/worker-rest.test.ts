// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { createMetrics } from '../../telemetry/metrics.ts';
import { PolicyHost } from '../host.ts';
import { type PolicyModule, verifyModule } from '../module.ts';
import { type HandMade, handMade } from '../testing/hand-made.ts';

/** As seldom as the busiest machine lets it run, it rests so often; without a rest, it would wait for next to nothing. */
const LEAST_RESTS = 40;
const DEADLINE_MS = 1000;

async function moduleOf(changes: HandMade): Promise<PolicyModule> {
  const verified = verifyModule(await handMade(changes));
  if (verified.kind === 'refused') throw new Error(JSON.stringify(verified.faults));
  return verified.module;
}

/** How often each thread of this process has given its processor away by itself. */
function waitsByThread(): ReadonlyMap<string, number> {
  const waits = new Map<string, number>();
  for (const thread of readdirSync('/proc/self/task')) {
    // The threads that have ended meanwhile are none of ours.
    const status = textOf(`/proc/self/task/${thread}/status`);
    waits.set(thread, Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? 0));
  }
  return waits;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The most that one of the threads has waited meanwhile, but for this one, which waits for the others. */
async function mostWaitsDuring(does: () => Promise<unknown>): Promise<number> {
  const before = waitsByThread();
  await does();
  const others = [...waitsByThread()].filter(([thread]) => thread !== String(process.pid));
  return Math.max(...others.map(([thread, count]) => count - (before.get(thread) ?? 0)));
}

test('a rule that takes long gives its processor away again and again', async (t) => {
  const limits = {
    maxDeadlineMs: DEADLINE_MS,
    maxWaitMs: 60_000,
    patienceMs: 60_000,
    budget: { msPerSecond: 1e6, burstMs: 1e6 },
  };
  const workers = { platformWorkers: 0, tenantWorkers: 1, spareWorkers: 0 };
  const host = new PolicyHost({ ...workers, metrics: createMetrics(), limits });
  t.teardown(() => host.close());
  await host.ready();
  const [quick, endless] = await Promise.all([
    moduleOf({}),
    moduleOf({ evaluate: '(loop $on (br $on)) unreachable' }),
  ]);
  const ask = (module: PolicyModule) =>
    host.evaluate({
      module,
      entrypoint: 'p/x',
      input: new TextEncoder().encode('{}'),
      nowNs: 0n,
      memoryMiB: 8,
      deadlineMs: DEADLINE_MS,
      tenant: 'a',
    });
  t.like(await ask(quick), { kind: 'value' });
  const rests = await mostWaitsDuring(async () => t.like(await ask(endless), { reason: 'Timeout' }));
  t.true(rests >= LEAST_RESTS, `it has waited ${rests} times`);
});
