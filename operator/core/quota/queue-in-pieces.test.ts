// SPDX-License-Identifier: Apache-2.0
// A pass over a long queue rests on its way: what it looks at between two rests, and that nothing of it depends on what others do meanwhile.
import test from 'ava';
import type { RunSpec } from '#crds/v1alpha1/run';
import { agentKey } from '../agent/agent.ts';
import { DeviceDesk, DeviceQueue } from '../capacity/device-queue.ts';
import { makeNode, supplyOf } from '../capacity/testing/make.ts';
import { PIECE, type Pieces } from '../pieces.ts';
import type { Run } from '../run/run.ts';
import { makeAgent, makeClass, NOW } from '../run/testing/make.ts';
import { type LedgerObserved, type Queue, queueInPieces, queueOf } from './ledger.ts';
import { heldRun, NAMESPACE, namedRun, preemptingLedger } from './testing/make-held.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

const WAITING = 6 * PIECE + 7;
const HELD = heldRun(1, 'runs');
const LEDGER = preemptingLedger({ maxConcurrentRuns: 3, preemption: 'Never' }, [HELD.reservation]);

function observedOf(runs: readonly Run[], gpu?: { readonly class: string; readonly count: number }) {
  const agents = new Map([[agentKey(NAMESPACE, 'agent'), makeAgent(gpu && { gpu })]]);
  const gpuClasses = new Map([['h100', makeClass('h100')]]);
  return { ...NOTHING_OF_LEDGER, runs: [HELD.run, ...runs], agents, gpuClasses } satisfies LedgerObserved;
}

/** Runs of which it is counted how many are worked out: that alone looks at what they are given. */
function countedRuns(): { readonly runs: readonly Run[]; readonly count: () => number } {
  let count = 0;
  const counting = (spec: RunSpec): RunSpec =>
    Object.defineProperty({ ...spec }, 'input', {
      get() {
        count += 1;
        return undefined;
      },
    });
  const runs = Array.from({ length: WAITING }, (_, i) => namedRun(`r-${i}`, { age: 9000 - i }));
  return { runs: runs.map((run) => ({ ...run, spec: counting(run.spec) })), count: () => count };
}

/** Does all pieces; `rest` is called between two of them. */
function withRests<T>(pieces: Pieces<T>, rest: () => void): T {
  for (let step = pieces.next(); ; step = pieces.next()) {
    if (step.done === true) return step.value;
    rest();
  }
}

test('so many are worked out between two rests, and nobody twice', (t) => {
  const { runs, count } = countedRuns();
  const observed = observedOf(runs);
  const ofEach: number[] = [];
  let before = 0;
  const rest = (): void => {
    ofEach.push(count() - before);
    before = count();
  };
  const queue = withRests(queueInPieces(LEDGER, observed, NOW), rest);
  rest();
  t.is(count(), WAITING);
  t.is(Math.max(...ofEach), PIECE);
  t.is(queue.admitted.length, 2);
  t.is(queue.waiting.length, WAITING - 2);
  // There is one rest for so many of them at least, each time that all are gone through.
  t.true(ofEach.length >= 4 * Math.floor(WAITING / PIECE), `${ofEach.length} pieces`);
  withRests(queueInPieces(LEDGER, observed, NOW), rest);
  t.is(count(), WAITING);
});

function told({ admitted, waiting }: Queue): unknown {
  return [
    admitted.map(({ uid }) => uid),
    waiting.map(({ candidate, reason, message }) => [candidate.uid, reason, message]),
  ];
}

test('what others decide meanwhile, of the same Runs and of changed ones, is nothing to it', (t) => {
  const { runs } = countedRuns();
  const want = told(queueOf(LEDGER, observedOf(structuredClone(runs)), NOW));
  let rests = 0;
  const meanwhile = (): void => {
    rests += 1;
    const some = runs.filter((_, i) => (i + rests) % 3 > 0).toReversed();
    const changed = some.map((run, i) =>
      i % 5 === 0 ? { ...run, spec: { ...run.spec, priority: 9 } } : run,
    );
    const ledger = preemptingLedger({ maxConcurrentRuns: rests }, []);
    queueOf(ledger, observedOf(changed), NOW);
  };
  t.deepEqual(told(withRests(queueInPieces(LEDGER, observedOf(runs), NOW), meanwhile)), want);
  t.true(rests > 0);
});

test('once the desk of devices is open there is no rest until all is decided', (t) => {
  const { runs } = countedRuns();
  let isOpen = false;
  const openDesk = (): DeviceDesk => {
    isOpen = true;
    const supply = supplyOf({ gpuClasses: [makeClass('h100')], nodes: [makeNode('a')], pods: [] });
    const queue = new DeviceQueue({ supply, pending: [], waiters: [], nowMs: 0 });
    return new DeviceDesk(queue, { tenant: 'acme', isHard: false });
  };
  const ledger = preemptingLedger({ gpus: [{ class: 'h100', count: 100 }], preemption: 'Never' }, []);
  const observed = { ...observedOf(runs, { class: 'h100', count: 1 }), openDesk };
  let rests = 0;
  const queue = withRests(queueInPieces(ledger, observed, NOW), () => {
    rests += 1;
    t.false(isOpen);
  });
  t.true(isOpen);
  t.true(rests > WAITING / PIECE);
  t.is(queue.admitted.length + queue.waiting.length, WAITING);
});
