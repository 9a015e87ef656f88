// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type KeyRecord, MAX_KEYS } from '#crds/v1alpha1/quota-ledger';
import type { RunSpec, RunStatus } from '#crds/v1alpha1/run';
import { keyRecord } from '../run/idempotency.ts';
import { ago, makeRun, NOW } from '../run/testing/make.ts';
import type { Run } from '../run/run.ts';
import type { Candidate } from './admit.ts';
import { KeyBook, type KeyInput } from './keys.ts';
import { keyBytes } from './ledger-size.ts';

interface Choice {
  readonly spec?: Partial<RunSpec>;
  readonly status?: RunStatus;
  readonly createdAt?: string;
}

function keyed(uid: string, { spec = {}, status, createdAt = ago(9) }: Choice = {}): Run {
  const run = makeRun({ idempotencyKey: 'k', idempotencyKeySeconds: 60, ...spec }, status);
  return { ...run, metadata: { ...run.metadata, name: uid, uid, creationTimestamp: createdAt } };
}

function recordOf(run: Run, more: Partial<KeyRecord> = {}): KeyRecord {
  return { ...keyRecord(run)!, ...more };
}

const candidate = ({ metadata: { uid = '', name } }: Run): Candidate => ({
  uid,
  namespace: 'acme-dev',
  name,
  agent: 'agent',
  priority: 0,
  createdAt: '',
  attempt: 1,
  demand: new Map(),
});

const a = keyed('a');
const b = keyed('b');
const admitted = { attempt: 1, admittedAt: ago(60) };
const running = keyed('a', { status: { phase: 'Running', ...admitted } });
const failed = keyed('a', { status: { phase: 'Failed', ...admitted } });

interface Case {
  readonly given: Partial<KeyInput>;
  /** `<run> <phase> <seconds until it is forgotten>` of each record. */
  readonly want: readonly string[];
  /** Of each waiting Run: `taken`, `behind`, or `new` when it would take a place of its own. */
  readonly wantOf?: Readonly<Record<string, string>>;
}

const cases: Record<string, Case> = {
  'nobody has a key before he is reserved for': { given: { runs: [a] }, want: [], wantOf: { a: 'new' } },
  'of two who want a key the second waits behind the first': {
    given: { runs: [b, a] },
    want: [],
    wantOf: { a: 'new', b: 'behind' },
  },
  'the first is the older one': {
    given: { runs: [a, keyed('b', { createdAt: ago(10) })] },
    want: [],
    wantOf: { a: 'behind', b: 'new' },
  },
  'of the same second the one that came first': {
    given: {
      runs: [
        keyed('a', { status: { phase: 'Queued', arrival: 2 } }),
        keyed('b', { status: { phase: 'Queued', arrival: 1 } }),
      ],
    },
    want: [],
    wantOf: { a: 'behind', b: 'new' },
  },
  'a first one that is cancelled is none': {
    given: { runs: [keyed('a', { spec: { cancel: true } }), b] },
    want: [],
    wantOf: { b: 'new' },
  },
  'one that was told to stand for another is none': {
    given: { runs: [keyed('a', { status: { phase: 'Queued', keyHolder: { name: 'x', uid: 'x' } } }), b] },
    want: [],
    wantOf: { b: 'new' },
  },
  'the same key in another namespace is another key': {
    given: {
      records: [recordOf({ ...a, metadata: { ...a.metadata, namespace: 'acme-prod' } })],
      runs: [b],
    },
    want: ['a undefined 60'],
    wantOf: { b: 'new' },
  },
  'who holds a reservation has his key, though the ledger was made anew': {
    given: { runs: [a, b], holders: new Set(['a']) },
    want: ['a undefined undefined'],
    wantOf: { b: 'taken' },
  },
  'so has who runs, and who has ended and is still there': {
    given: { runs: [failed, b] },
    want: ['a Failed 60'],
    wantOf: { b: 'taken' },
  },
  'a key is remembered without end while its Run runs': {
    given: { records: [recordOf(a)], runs: [running, b] },
    want: ['a undefined undefined'],
    wantOf: { b: 'taken' },
  },
  'and for its time after the end': {
    given: { records: [recordOf(a)], runs: [failed] },
    want: ['a Failed 60'],
  },
  'the time does not begin anew': {
    given: { records: [recordOf(a, { phase: 'Failed', until: ago(-20) })], runs: [b] },
    want: ['a Failed 20'],
    wantOf: { b: 'taken' },
  },
  'one that ended by a clock that was ahead is remembered for its time by this one': {
    given: { records: [recordOf(a, { phase: 'Failed', until: ago(-63_072_000) })], runs: [b] },
    want: ['a Failed 60'],
    wantOf: { b: 'taken' },
  },
  'a Run that is gone without its end having been seen keeps its key as long': {
    given: { records: [recordOf(a)], runs: [b] },
    want: ['a undefined 60'],
    wantOf: { b: 'taken' },
  },
  'of one whose end was seen before it was gone, that is remembered': {
    given: { records: [recordOf(a)], runs: [b], departed: new Map([['a', failed]]) },
    want: ['a Failed 60'],
    wantOf: { b: 'taken' },
  },
  'of one that was gone before it ended, nothing is': {
    given: { records: [recordOf(a)], runs: [b], departed: new Map([['a', running]]) },
    want: ['a undefined 60'],
    wantOf: { b: 'taken' },
  },
  'one that was gone before it started leaves its key to the next, too': {
    given: {
      records: [recordOf(a)],
      runs: [b],
      departed: new Map([['a', keyed('a', { status: { phase: 'Cancelled' } })]]),
    },
    want: [],
    wantOf: { b: 'new' },
  },
  'while something of a Run that is gone holds its place, its time has not begun': {
    given: { records: [recordOf(a)], runs: [b], holders: new Set(['a']) },
    want: ['a undefined undefined'],
    wantOf: { b: 'taken' },
  },
  'one that was only late to be seen runs on': {
    given: { records: [recordOf(a, { until: ago(-20) })], runs: [running] },
    want: ['a undefined undefined'],
  },
  'a key is forgotten after its time': {
    given: { records: [recordOf(a, { until: ago(0) })], runs: [b] },
    want: [],
    wantOf: { b: 'new' },
  },
  'a Run that ended without having started leaves its key to the next': {
    given: { records: [recordOf(a)], runs: [keyed('a', { status: { phase: 'Cancelled' } }), b] },
    want: [],
    wantOf: { b: 'new' },
  },
  'so does one that gave its place back before it was admitted': {
    given: { records: [recordOf(a)], runs: [keyed('a', { status: { phase: 'Cancelled', attempt: 1 } }), b] },
    want: [],
    wantOf: { b: 'new' },
  },
};

function standing(book: KeyBook, run: Run): string {
  if (book.isTaken(run)) return 'taken';
  const { blocked, keyBytes } = book.withKey(candidate(run), run);
  if (blocked !== undefined) return 'behind';
  return keyBytes === undefined ? 'own' : 'new';
}

function told({ name, phase, until }: KeyRecord): string {
  const seconds = until === undefined ? undefined : (Date.parse(until) - NOW.getTime()) / 1000;
  return `${name} ${phase} ${seconds}`;
}

for (const [sentence, { given, want, wantOf = {} }] of Object.entries(cases)) {
  test(sentence, (t) => {
    const runs = given.runs ?? [];
    const book = new KeyBook({ records: [], holders: new Set(), now: NOW, ...given, runs });
    const found = runs.map((run) => [run.metadata.uid ?? '', standing(book, run)] as const);
    t.deepEqual(Object.fromEntries(found.filter(([uid]) => uid in wantOf)), wantOf);
    t.deepEqual(
      book.withAdmitted([]).map((one) => told(one)),
      want,
    );
  });
}

test('whoever is admitted has his key in the same write', (t) => {
  const book = new KeyBook({ records: [], runs: [a, b], holders: new Set(), now: NOW });
  const reservation = { uid: 'a', namespace: 'acme-dev', name: 'a', agent: 'agent', attempt: 1 };
  t.deepEqual(book.withAdmitted([reservation]).map(told), ['a undefined undefined']);
});

test('a key is remembered for all of its time, whatever part of a second has passed', (t) => {
  const now = new Date(NOW.getTime() + 900);
  const book = new KeyBook({ records: [recordOf(a)], runs: [failed], holders: new Set(), now });
  t.deepEqual(book.withAdmitted([]).map(told), ['a Failed 61']);
});

test('a book tells how much room is left, and when there is more', (t) => {
  const records = [recordOf(a, { until: ago(-20) }), recordOf(keyed('c', { spec: { idempotencyKey: 'c' } }))];
  const book = new KeyBook({
    records,
    runs: [keyed('c', { spec: { idempotencyKey: 'c' } })],
    holders: new Set(),
    now: NOW,
  });
  t.is(book.left, MAX_KEYS - 2);
  t.is(book.forgottenMs, NOW.getTime() + 20_000);
});

for (const [sentence, room] of Object.entries({
  'no more keys are remembered than a ledger may have': { keys: MAX_KEYS - 1 },
  'nor more than there is room for': {
    keys: 1,
    bytes: 2 * keyBytes({ uid: 'x', namespace: 'acme-dev', name: 'x' }),
  },
})) {
  test(`${sentence}, and whoever wants one that was forgotten waits while its Run is there`, (t) => {
    const { keys, ...more } = room;
    const records = Array.from({ length: keys }, (_, i) => recordOf(a, { key: `${i}`, uid: 'x', name: 'x' }));
    const spec = { idempotencyKey: 'l' };
    const ended = [failed, keyed('c', { spec, status: { phase: 'Failed', ...admitted } })];
    const wanting = [b, keyed('d', { spec })];
    const book = new KeyBook({
      records,
      runs: [...wanting, ...ended],
      holders: new Set(),
      now: NOW,
      ...more,
    });
    t.is(book.withAdmitted([]).length, keys + 1);
    t.deepEqual(
      wanting.map((run) => standing(book, run)),
      ['taken', 'behind'],
    );
    t.is(book.withKey(candidate(wanting[1]!), wanting[1]!).blocked?.reason, 'TooManyKeys');
  });
}

test('what waiting Runs are to do is not looked at for their place, since thousands with long inputs may wait', (t) => {
  const first = keyed('a');
  const spec = Object.defineProperty({ ...first.spec }, 'input', {
    enumerable: true,
    get: () => t.fail('its input was read'),
  });
  const run = { ...first, spec };
  const book = new KeyBook({ records: [], runs: [run], holders: new Set(), now: NOW });
  t.is(standing(book, run), 'new');
});

test('who waits behind one that waits is told what would let it start', (t) => {
  const book = new KeyBook({ records: [], runs: [a, b], holders: new Set(), now: NOW });
  t.regex(
    book.withKey(candidate(b), b).blocked?.message ?? '',
    /Run a, .* this one starts only if that one ends/,
  );
});
