// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { retire } from './retirement.ts';
import type { Phase, Run } from './run.ts';
import { ago, makeRun } from './testing/make.ts';

interface Kin {
  readonly of?: string;
  readonly phase?: Phase;
  /** Deleted, and kept by somebody else's finalizer. */
  readonly going?: true;
}

interface Case {
  readonly runs: Readonly<Record<string, Kin>>;
  readonly asked?: readonly string[];
  readonly held?: readonly string[];
  readonly refused?: readonly string[];
  /** Names, in order. */
  readonly want: readonly string[];
  readonly waits?: true;
}

const LINE = { a: {}, b: { of: 'a' }, c: { of: 'b' } };

const cases: Record<string, Case> = {
  'one that has called nobody goes': { runs: { a: {} }, want: ['a'] },
  'of a line the last goes first': { runs: LINE, want: ['c'] },
  'of several below, all go that have nobody below them': {
    runs: { ...LINE, d: { of: 'a' }, e: { of: 'a' } },
    want: ['c', 'd', 'e'],
  },
  'who is asked for twice, by himself and with who called him, goes once': {
    runs: { a: {}, b: { of: 'a' }, x: {} },
    asked: ['b', 'a', 'x'],
    want: ['b', 'x'],
  },
  'who has not ended keeps those above': {
    runs: { a: {}, b: { of: 'a', phase: 'Running' } },
    want: [],
    waits: true,
  },
  'so does one whose last attempt has still to be counted': {
    runs: { a: {}, b: { of: 'a' }, d: { of: 'a' } },
    held: ['b'],
    want: ['d'],
    waits: true,
  },
  'one of which that is so itself waits, while those below it go': {
    runs: { a: {}, b: { of: 'a' } },
    held: ['a'],
    want: ['b'],
    waits: true,
  },
  'whom the archive will not have keeps those above, and nobody waits for that': {
    runs: { ...LINE, x: {} },
    asked: ['a', 'x'],
    refused: ['c'],
    want: ['x'],
  },
  'one that the archive will not have itself stays, while those below it go': {
    runs: { a: {}, b: { of: 'a' } },
    refused: ['a'],
    want: ['b'],
  },
  'whom somebody has deleted keeps nobody': { runs: { a: {}, b: { of: 'a', going: true } }, want: ['a'] },
  'but those below it go first': {
    runs: { a: {}, b: { of: 'a', going: true }, c: { of: 'b' } },
    want: ['c'],
  },
};

function runOf(name: string, { phase = 'Succeeded', going }: Kin): Run {
  const run = makeRun({}, { phase, finishedAt: ago(9) });
  const deleted = going && { deletionTimestamp: ago(1), finalizers: ['example.com/audit'] };
  return { ...run, metadata: { ...run.metadata, name, uid: name, ...deleted } };
}

for (const [name, { runs, asked = ['a'], held = [], refused = [], want, waits }] of Object.entries(cases)) {
  test(name, (t) => {
    const all = new Map(Object.entries(runs).map(([one, kin]) => [one, runOf(one, kin)]));
    const kin = {
      childrenOf: ({ metadata }: Run) =>
        [...all.values()].filter((one) => runs[one.metadata.name]?.of === metadata.name),
      isHeld: ({ metadata }: Run) => held.includes(metadata.name),
      isRefused: ({ metadata }: Run) => refused.includes(metadata.name),
    };
    const found = retire(
      asked.map((one) => all.get(one)!),
      kin,
    );
    t.deepEqual(
      found.remove.map(({ ref }) => ref.name),
      want,
    );
    t.true(found.remove.every(({ record, ref }) => record?.metadata.uid === ref.uid));
    t.is(found.waits, waits === true);
  });
}
