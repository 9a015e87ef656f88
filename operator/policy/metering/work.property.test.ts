// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { ENGINE } from '../engine.ts';
import { PolicyInstance } from '../instance.ts';
import { verifyModule } from '../module.ts';
import { handMade } from '../testing/hand-made.ts';
import { EVALUATION_LIMITS, EvaluationFailure, Failure } from '../verdict.ts';
import { BYTES_PER_UNIT, FUEL, MOST_BEFOREHAND } from './fuel.ts';

/** What a function does: so many instructions that do nothing, a call of one that comes later, or some of that again and again. */
type Step =
  | { readonly kind: 'nops'; readonly count: number }
  | { readonly kind: 'call' | 'indirect'; readonly ahead: number }
  | { readonly kind: 'loop'; readonly turns: number; readonly steps: readonly Step[] };

const FUNCTIONS = 8;
const PATIENCE = 30;

const { steps } = fc.letrec<{ readonly steps: readonly Step[]; readonly step: Step }>((tie) => ({
  step: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('nops' as const), count: fc.oneof(fc.nat(100), fc.nat(5000)) }),
    fc.record({ kind: fc.constantFrom('call' as const, 'indirect' as const), ahead: fc.nat(3) }),
    fc.record({
      kind: fc.constant('loop' as const),
      turns: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3000 })),
      steps: tie('steps'),
    }),
  ),
  steps: fc.array(tie('step'), { maxLength: 5 }),
}));
const programs = fc.array(steps, { minLength: FUNCTIONS, maxLength: FUNCTIONS });

/** The number of the function that is called; undefined where there is none behind. */
function calledBy(index: number, ahead: number): number | undefined {
  const called = index + 1 + ahead;
  return called < FUNCTIONS ? called : undefined;
}

/** Units that all of it takes, by the bytes of its instructions that do nothing. */
function workOf(program: readonly (readonly Step[])[]): number {
  const works: number[] = [];
  const work = (index: number, list: readonly Step[]): number =>
    list.reduce((sum, one) => {
      if (one.kind === 'nops') return sum + one.count;
      if (one.kind === 'loop') return sum + one.turns * work(index, one.steps);
      return sum + (works[calledBy(index, one.ahead) ?? -1] ?? 0);
    }, 0);
  for (let index = FUNCTIONS - 1; index >= 0; index -= 1) works[index] = work(index, program[index] ?? []);
  return (works[0] ?? 0) / BYTES_PER_UNIT;
}

/** The text of one function; each loop counts in a local of its own. */
function textOf(list: readonly Step[], index: number): string {
  let loops = 0;
  const text = (one: Step): string => {
    if (one.kind === 'nops') return 'nop '.repeat(one.count);
    if (one.kind === 'loop') {
      const counter = loops;
      loops += 1;
      const turn = `(br_if $l (local.tee ${counter} (i32.sub (local.get ${counter}) (i32.const 1))))`;
      return `(local.set ${counter} (i32.const ${one.turns})) (loop $l ${one.steps.map(text).join(' ')} ${turn})`;
    }
    const called = calledBy(index, one.ahead);
    if (called === undefined) return '';
    return one.kind === 'call' ? `(call $f${called})` : `(call_indirect (type $none) (i32.const ${called}))`;
  };
  const body = list.map(text).join(' ');
  return `(func $f${index} (type $none) (local ${'i32 '.repeat(loops)}) ${body})`;
}

test('however calls and loops are put together, no more is done between two questions than fuel is given for', async (t) => {
  let asking = 0;
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const functions = program.map(textOf).join('\n');
      const names = program.map((_, index) => `$f${index}`).join(' ');
      const bytes = await handMade({
        more: `(type $none (func)) (table ${FUNCTIONS} ${FUNCTIONS} funcref) (elem (i32.const 0) ${names}) ${functions}`,
        evaluate: '(call $f0) (i32.const 2048)',
      });
      const verification = verifyModule(bytes);
      if (verification.kind === 'refused') return;
      const { layout, metered } = verification.module;
      let asked = 0;
      const expectTime = (): void => {
        asked += 1;
        if (asked > PATIENCE) throw new EvaluationFailure(Failure.Timeout, 'enough');
      };
      const compiled = new ENGINE.Module(metered);
      const source = { compiled, layout, memoryMiB: 16, data: undefined, limits: EVALUATION_LIMITS };
      const instance = new PolicyInstance({ ...source, clock: { expectTime } });
      const question = { entrypoint: 'p/x', input: new TextEncoder().encode('{}'), nowNs: 0n };
      try {
        instance.evaluate(question);
      } catch (error) {
        // It was ended, as it may be whatever it does.
        if (error instanceof EvaluationFailure && error.reason === Failure.Timeout) return;
        throw error;
      }
      if (asked > 0) asking += 1;
      const atOnce = (MOST_BEFOREHAND + bytes.length) / BYTES_PER_UNIT;
      const work = workOf(program);
      t.true(work <= (asked + 1) * (FUEL + atOnce), `${work} units, and asked ${asked} times`);
    }),
    { numRuns: 300 },
  );
  t.true(asking > 5, `${asking} asked at all`);
});
