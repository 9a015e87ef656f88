// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { keptForMs, type WrittenFigures } from './figures.ts';

const NOW = new Date('2026-11-21T12:00:00.400Z');

interface Case extends Partial<WrittenFigures> {
  readonly want: number;
}

const cases: Record<string, Case> = {
  'figures that were never written are written': { at: undefined, want: 0 },
  'the same ones are not written again, however old': {
    at: '2026-11-20T12:00:00Z',
    isSame: true,
    want: Infinity,
  },
  'others are written when the last are five seconds old': { at: '2026-11-21T11:59:55Z', want: 0 },
  'and wait for that until then': { at: '2026-11-21T11:59:56Z', want: 600 },
  'those of this very second wait for the most': { at: '2026-11-21T12:00:00Z', want: 4600 },
  'a clock that has gone back holds nothing back': { at: '2026-11-21T13:00:00Z', want: 0 },
  'nor does an instant that is none': { at: '', want: 0 },
};

for (const [name, { at, isSame = false, want }] of Object.entries(cases)) {
  test(name, (t) => t.is(keptForMs({ at, isSame }, NOW), want));
}
