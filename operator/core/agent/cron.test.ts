// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { AGENT } from '#crds/v1alpha1/agent';
import { nextStart, problemOf, startsBetween, zoneOf } from './cron.ts';

interface Case {
  readonly cron: string;
  readonly timeZone?: string;
  readonly after: string;
  /** In UTC. */
  readonly want: readonly string[];
}

const NEW_YORK = 'America/New_York';

/** In New York clocks go from 2:00 to 3:00 on 8 March 2026 (7:00 UTC), and from 2:00 to 1:00 on 1 November (6:00 UTC). */
const cases: Record<string, Case> = {
  'every minute': { cron: '* * * * *', after: '2026-11-21T12:00:00Z', want: ['2026-11-21T12:01:00Z'] },
  'an instant at which it is due is not after itself': {
    cron: '@hourly',
    after: '2026-11-21T12:00:00Z',
    want: ['2026-11-21T13:00:00Z', '2026-11-21T14:00:00Z'],
  },
  'a day of the month that most months have not': {
    cron: '0 0 31 * *',
    after: '2026-01-31T00:00:00Z',
    want: ['2026-03-31T00:00:00Z', '2026-05-31T00:00:00Z', '2026-07-31T00:00:00Z'],
  },
  'a leap day': {
    cron: '0 0 29 2 *',
    after: '2026-01-01T00:00:00Z',
    want: ['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z'],
  },
  'day of the month or day of the week, as in crontab': {
    cron: '0 0 13 * fri',
    after: '2026-02-07T00:00:00Z',
    want: [
      '2026-02-13T00:00:00Z',
      '2026-02-20T00:00:00Z',
      '2026-02-27T00:00:00Z',
      '2026-03-06T00:00:00Z',
      '2026-03-13T00:00:00Z',
    ],
  },
  'Sunday is 0 and 7': { cron: '0 0 * * 7', after: '2026-11-21T00:00:00Z', want: ['2026-11-22T00:00:00Z'] },
  'names, ranges and steps': {
    cron: '5/20 8-10/2 * NOV,dec mon-FRI',
    after: '2026-11-20T10:30:00Z',
    want: ['2026-11-20T10:45:00Z', '2026-11-23T08:05:00Z'],
  },
  'a question mark is a star': {
    cron: '0 6 ? * ?',
    after: '2026-11-21T05:17:00Z',
    want: ['2026-11-21T06:00:00Z', '2026-11-22T06:00:00Z'],
  },
  'a macro in a time zone': {
    cron: '@daily',
    timeZone: 'Asia/Kolkata',
    after: '2026-11-21T00:00:00Z',
    want: ['2026-11-21T18:30:00Z'],
  },
  'a time that the clock leaves out is due when the gap ends, once': {
    cron: '30 2 * * *',
    timeZone: NEW_YORK,
    after: '2026-03-07T08:00:00Z',
    want: ['2026-03-08T07:00:00Z', '2026-03-09T06:30:00Z'],
  },
  'a time that the clock shows twice is due once': {
    cron: '30 1 * * *',
    timeZone: NEW_YORK,
    after: '2026-10-31T12:00:00Z',
    want: ['2026-11-01T05:30:00Z', '2026-11-02T06:30:00Z'],
  },
  'several times that the clock shows twice are due once each': {
    cron: '0,30 1 * * *',
    timeZone: NEW_YORK,
    after: '2026-10-31T12:00:00Z',
    want: ['2026-11-01T05:00:00Z', '2026-11-01T05:30:00Z', '2026-11-02T06:00:00Z'],
  },
  'every half hour goes on where the clock goes back': {
    cron: '*/30 * * * *',
    timeZone: NEW_YORK,
    after: '2026-11-01T05:00:00Z',
    want: ['2026-11-01T05:30:00Z', '2026-11-01T06:00:00Z', '2026-11-01T06:30:00Z', '2026-11-01T07:00:00Z'],
  },
  'every half hour goes on where the clock goes forward': {
    cron: '*/30 * * * *',
    timeZone: NEW_YORK,
    after: '2026-03-08T06:15:00Z',
    want: ['2026-03-08T06:30:00Z', '2026-03-08T07:00:00Z', '2026-03-08T07:30:00Z'],
  },
  'half an hour of summer time': {
    cron: '15 2 * * *',
    timeZone: 'Australia/Lord_Howe',
    after: '2026-10-03T00:00:00Z',
    want: ['2026-10-03T15:30:00Z', '2026-10-04T15:15:00Z'],
  },
};

for (const [name, { after, want, timeZone = 'UTC', cron }] of Object.entries(cases)) {
  test(name, (t) => {
    const line = { cron, timeZone };
    t.is(problemOf(line, new Date(after)), undefined);
    const found = want.reduce<readonly Date[]>(
      (all) => [...all, nextStart(line, all.at(-1) ?? new Date(after))!],
      [],
    );
    t.deepEqual(
      found,
      want.map((one) => new Date(one)),
    );
    const between = startsBetween(line, new Date(after), new Date(want.at(-1)!));
    t.deepEqual(between, found, 'the same when looked back for');
    const early = startsBetween(line, new Date(after), new Date(Date.parse(want.at(-1)!) - 1));
    t.deepEqual(early, found.slice(0, -1), 'not a millisecond too early');
  });
}

test('what fell due over a long time is told by its end', (t) => {
  const [after, until] = [new Date('2025-01-01T00:00:00Z'), new Date('2026-11-21T12:00:30Z')];
  const starts = startsBetween({ cron: '* * * * *', timeZone: 'UTC' }, after, until);
  t.is(starts.length, 20);
  t.deepEqual(starts.at(-1), new Date('2026-11-21T12:00:00Z'));
});

test.serial('however a time zone is spelt, nothing is kept of the spelling', (t) => {
  const after = new Date('2026-11-21T12:00:00Z');
  const due = nextStart({ cron: '0 9 * * *', timeZone: 'Europe/Berlin' }, after);
  const spelt = Array.from({ length: 64 }, (_, bits) =>
    ['e', 'u', 'r', 'o', 'p', 'e']
      .map((one, at) => ((bits >> at) % 2 === 0 ? one : one.toUpperCase()))
      .join(''),
  ).map((continent) => `${continent}/berlin`);
  const { DateTimeFormat } = Intl;
  const asked: string[] = [];
  // What the library asks for it keeps for good.
  Intl.DateTimeFormat = new Proxy(DateTimeFormat, {
    construct(target, [locale, options]: [string, Intl.DateTimeFormatOptions]) {
      asked.push(options.timeZone ?? '');
      return new target(locale, options);
    },
  });
  try {
    for (const timeZone of spelt) {
      t.is(zoneOf(timeZone), 'Europe/Berlin');
      t.deepEqual(nextStart({ cron: '0 9 * * *', timeZone }, after), due);
    }
  } finally {
    Intl.DateTimeFormat = DateTimeFormat;
  }
  t.deepEqual(asked, spelt, 'each was asked for once, to find out its name');
});

/** Whether the schema refuses it, or else the operator; with a word of what it says. */
const refused: Record<
  string,
  { readonly cron?: string; readonly timeZone?: string; readonly says?: RegExp }
> = {
  'a zone that there is not': {
    timeZone: 'Mars/Olympus',
    says: /timeZone: found Mars\/Olympus; .*Europe\/Berlin/,
  },
  'an offset': { timeZone: '+02:00' },
  'a day that never comes': { cron: '0 0 30 2 *', says: /cron: found 0 0 30 2 \*, which never falls due/ },
  'a range that ends before it begins': {
    cron: '5-1 * * * *',
    says: /cron: found 5-1 .*ranges that end after/,
  },
  'a step of nothing': { cron: '*/0 * * * *', says: /cron: found \*\/0 .*steps/ },
  'a step that is too wide': { cron: '* */25 * * *', says: /cron: found .*steps/ },
};

for (const [name, { cron = '* * * * *', timeZone = 'UTC', says }] of Object.entries(refused)) {
  test(`refused: ${name}`, (t) => {
    const container = { image: 'x' };
    const isRead = AGENT.spec.safeParse({ container, schedule: { cron, timeZone } }).success;
    t.is(isRead, says !== undefined);
    if (says !== undefined)
      t.regex(problemOf({ cron, timeZone }, new Date('2026-11-21T12:00:00Z')) ?? '', says);
  });
}
