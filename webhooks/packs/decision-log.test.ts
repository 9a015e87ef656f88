// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { processorMs } from '#hack/tools/processor-time';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { compose, type PackOutcome } from '#operator/core/policy/compose';
import {
  answered,
  FACTS,
  makeExemption,
  makeInput,
  makePack,
  makeReview,
  makeRevision,
  NOW,
} from '#operator/core/policy/testing/make';
import type { ImageTeller } from '#operator/core/policy/image-input';
import { projector } from '#operator/core/policy/projection';
import type { Review } from '#operator/core/policy/review';
import { factsOf } from '#operator/core/policy/selection';
import { buildSnapshot } from '#operator/core/policy/snapshot';
import { createLog } from '#operator/telemetry/log';
import { MetricFactory } from '#operator/telemetry/metric';
import { type Decided, decisionLine, MAX_EVENT_BYTES } from './decision-event.ts';
import { DecisionLog, openDecisionLog, WHOLE_LINES } from './decision-log.ts';
import { packMetrics } from './metrics.ts';

const NO = { deny: [{ rule: 'a', message: 'no' }] };

function decided(
  review: Partial<Review> = {},
  outcomes: readonly PackOutcome[] = [answered(makePack())],
  lifted = false,
): Decided {
  const made = makeReview(review);
  const exemptions = lifted ? [makeExemption()] : [];
  const composition = compose(outcomes, { review: made, facts: FACTS, exemptions, now: NOW });
  return {
    review: made,
    facts: FACTS,
    snapshot: { digest: 'sha256:0' },
    judged: [],
    composition,
    decision: composition,
    now: NOW,
    millis: 2,
  };
}

const eventOf = (one: Decided) => JSON.parse(decisionLine(one, { labels: { app: 'test' } }));
const refused = (uid = 'u1') => decided({ uid }, [answered(makePack(), NO)]);

/** A reader that takes nothing until it is told to. */
class SlowReader extends Writable {
  readonly lines: string[] = [];
  readonly #waiting: (() => void)[] = [];
  isOpen = false;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    if (chunk !== '') this.lines.push(chunk);
    if (this.isOpen) done();
    else this.#waiting.push(done);
  }

  open(): void {
    this.isOpen = true;
    for (const done of this.#waiting.splice(0)) done();
  }
}

function logTo(to: Writable | undefined, allowedPercent = 100, clock = () => 0) {
  const factory = new MetricFactory();
  const log = new DecisionLog({ to, allowedPercent, labels: {}, metrics: packMetrics(factory), clock });
  return { log, text: () => factory.registry.metrics() };
}

test('an event has the names that OPA has', (t) => {
  const event = eventOf(refused());
  t.like(event, {
    type: 'openpolicyagent.org/decision_logs',
    labels: { app: 'test' },
    decision_id: 'u1',
    path: 'nexusos/admission',
    requested_by: 'ann',
    timestamp: '2026-11-20T12:00:00.000Z',
    result: { allowed: false, deny: [{ pack: 'nexusos/baseline', rule: 'a', msg: 'no' }] },
    metrics: { timer_server_handler_ns: 2_000_000 },
    erased: [],
    masked: [],
  });
  t.is(event.input.review.object.kind, 'Pod');
  t.is(event.input.tenant, 'acme');
});

test('what is secret is not in it', (t) => {
  const secret = 'hunter2-hunter2';
  const spec = {
    containers: [
      {
        name: 'c',
        env: [{ name: 'DB', value: secret }],
        args: [`--token=${secret}`, 'Authorization: Bearer abcdefghijkl'],
        settings: { apiKey: secret, 'db-password': secret, secretName: 'kept', token: secret },
      },
    ],
    note: ['-----BEGIN RSA PRIV', 'ATE KEY-----\nabc\n-----END RSA PRIV', 'ATE KEY-----'].join(''),
  };
  const event = eventOf(decided({ object: { spec } }));
  const text = JSON.stringify(event);
  for (const one of [secret, 'abcdefghijkl', 'nabc']) t.false(text.includes(one), one);
  t.true(text.includes('kept'));
  t.true(event.erased.includes('/input/review/object/spec/containers/0/env/0/value'));
  t.true(event.masked.includes('/input/review/object/spec/containers/0/args/0'));
});

const SECRET_KIND = {
  kind: { group: '', version: 'v1', kind: 'Secret' },
  resource: { group: '', version: 'v1', resource: 'secrets' },
};

test('values of Secrets, data of ConfigMaps and what is given to Runs are not in it', (t) => {
  const kinds: readonly Partial<Review>[] = [
    { ...SECRET_KIND, object: { data: { a: 'aHVudGVyMg==' }, stringData: { b: 'aHVudGVyMg==' } } },
    { kind: { group: '', version: 'v1', kind: 'ConfigMap' }, object: { data: { a: 'aHVudGVyMg==' } } },
    {
      kind: { group: 'nexusos.dev', version: 'v1alpha1', kind: 'Run' },
      object: { spec: { input: { text: 'aHVudGVyMg==' } } },
    },
  ];
  for (const review of kinds) {
    t.false(decisionLine(decided(review), { labels: {} }).includes('aHVudGVyMg=='), review.kind?.kind);
    t.false(
      decisionLine(decided({ ...review, oldObject: review.object! }), { labels: {} }).includes(
        'aHVudGVyMg==',
      ),
    );
  }
});

test('what a pack masks is left out, and what a rule says of a credential', (t) => {
  const answers = {
    masks: ['/spec/iban', '/input/tenant'],
    deny: [{ rule: 'a', message: 'found token=hunter2' }],
  };
  const event = eventOf(
    decided({ object: { spec: { iban: 'DE1', other: 1 } } }, [answered(makePack(), answers)]),
  );
  t.deepEqual(event.input.review.object.spec, { other: 1 });
  t.false('tenant' in event.input);
  t.is(event.result.deny[0].msg, 'found [masked]');
  t.true(event.erased.includes('/input/review/object/spec/iban'));
});

test('an event that is too large is told without its input, however large', (t) => {
  const text = 'x'.repeat(4000);
  const spec = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, text]));
  const event = eventOf({ ...refused(), review: makeReview({ object: { spec } }) });
  t.false('input' in event);
  t.deepEqual(event.erased, ['/input']);
  t.is(event.result.deny[0].msg, 'no');
  const deny = Array.from({ length: 900 }, () => ({ rule: 'a', message: text.slice(0, 1024) }));
  const huge = decisionLine(decided({ object: { spec } }, [answered(makePack(), { deny })]), { labels: {} });
  t.true(huge.length <= MAX_EVENT_BYTES);
  t.is(JSON.parse(huge).result.allowed, false);
});

test('an object that is made to be deep, or long, costs little', (t) => {
  let deep: unknown = 'x';
  for (let i = 0; i < 200; i += 1) deep = { a: deep };
  const costly = decided({ object: { spec: { deep, text: 'a'.repeat(3_000_000) } } });
  const tookMs = processorMs(() => t.true(eventOf(costly).erased.length > 0));
  t.true(tookMs < 500, `${tookMs} ms`);
});

test('allows are sampled, by chance that nobody chooses; what is refused, warned of or exempt is not', async (t) => {
  const to = new SlowReader();
  to.open();
  const { log, text } = logTo(to, 10);
  for (let i = 0; i < 1000; i += 1) {
    log.offer(decided({ uid: `allowed-${i}` }));
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  const sampled = to.lines.length;
  t.true(sampled > 50 && sampled < 200, `${sampled}`);
  log.offer(refused());
  log.offer(decided({ uid: 'w' }, [answered(makePack({ enforcement: 'Warn' }), NO)]));
  log.offer(decided({ uid: 'e' }, [answered(makePack(), NO)], true));
  await log.close();
  t.is(to.lines.length, sampled + 3);
  t.regex(await text(), new RegExp(`reason="sampled_out"} ${1000 - sampled}`));
});

test('who reads too slowly loses what was allowed first, counted, and holds nobody up', async (t) => {
  const to = new SlowReader();
  const { log, text } = logTo(to);
  for (let i = 0; i < 1500; i += 1) {
    log.offer(i % 3 === 0 ? refused(`refused-${i}`) : decided({ uid: `allowed-${i}` }));
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setImmediate(resolve));
  to.open();
  await log.close();
  const events = to.lines.map((line) => JSON.parse(line));
  t.is(events.filter(({ result }) => !result.allowed).length, 500, 'no refusal is lost');
  const dropped = Number(/reason="queue_full"} (\d+)/.exec(await text())?.[1]);
  t.is(dropped, 1500 - events.length);
  t.true(dropped > 0);
});

test('of a tenant that is refused much, lines are short after a while; of others, and later, they are whole', async (t) => {
  const to = new SlowReader();
  to.open();
  const now = { ms: 0 };
  const { log } = logTo(to, 100, () => now.ms);
  const { burst, perSecond } = WHOLE_LINES;
  for (let i = 0; i < burst + 20; i += 1) log.offer(refused(`loud-${i}`));
  const calm = { ...FACTS.tenant!, name: 'calm' };
  log.offer({ ...refused('calm'), facts: { ...FACTS, tenant: calm } });
  log.offer({ ...refused('nobody'), facts: { ...FACTS, tenant: undefined } });
  await log.close();
  now.ms = 1000;
  for (let i = 0; i < perSecond + 1; i += 1) log.offer(refused(`later-${i}`));
  await log.close();
  const events = to.lines.map((line) => JSON.parse(line));
  const short = events.filter(({ input }) => input === undefined);
  t.deepEqual(
    short.map(({ decision_id: id }) => id),
    [...Array.from({ length: 20 }, (_, i) => `loud-${burst + i}`), `later-${perSecond}`],
  );
  t.like(short[0], {
    erased: ['/input'],
    requested_by: 'ann',
    result: { allowed: false, deny: [{ msg: 'no' }] },
  });
});

test('to a file, and to nowhere', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-decisions-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const silent = createLog({ level: 'silent' });
  const { log } = logTo(openDecisionLog(join(folder, 'decisions.log'), silent));
  log.offer(refused());
  await log.close();
  t.is(JSON.parse(await readFile(join(folder, 'decisions.log'), 'utf8')).decision_id, 'u1');
  t.is(openDecisionLog('none', silent), undefined);
  const { log: nowhere } = logTo(openDecisionLog(join(folder, 'no', 'such', 'folder'), silent));
  for (let i = 0; i < 10; i += 1) {
    nowhere.offer(refused());
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.pass('a file that cannot be written ends nothing');
});

test('what was told of images when it was judged is logged, whatever has become known since', (t) => {
  let asked = 0;
  const images: ImageTeller = (uses) => {
    asked += 1;
    const reason = asked === 1 ? 'BeingVerified' : 'NotCovered';
    return uses.map((use) => ({ ...use, state: 'NotKnown', reason, policies: [] }));
  };
  const one = decided({
    resource: { group: '', version: 'v1', resource: 'pods' },
    object: { spec: { containers: [{ name: 'c', image: 'registry.example/app:1' }] } },
  });
  const snapshot = buildSnapshot(makeInput([], [], { images: () => images }));
  const facts = factsOf(snapshot, one.review, 'tenant');
  const wanted = { shape: 'Review', trust: 'Platform', parameters: '{}', seesImages: true } as const;
  const seen = JSON.parse(projector(one.review, facts, NOW)(wanted)).images;
  t.is(seen[0].reason, 'BeingVerified');
  const revision = makeRevision({ seesImages: true });
  const result = answered(makePack()).result;
  const event = eventOf({ ...one, facts, judged: [{ revision, result, micros: 1 }] });
  t.deepEqual(event.input.images, seen);
  t.is(asked, 1, 'images are not asked for once more');
});
