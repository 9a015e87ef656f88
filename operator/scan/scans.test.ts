// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../core/object.ts';
import { makeExemption } from '../core/policy/testing/make.ts';
import type { Evaluate } from '../policy/packs/ask.ts';
import type { BlastAnswer, BlastQuestion } from '../core/scan/world.ts';
import type { Client } from '../runtime/client.ts';
import { BlastReporter } from './blast-reporter.ts';
import { HostOnDemand } from './host-on-demand.ts';
import { PolicyJudge } from './judge.ts';
import { PolicyScanner } from './scanner.ts';
import { createScanWorld, denying, PATIENT, type ScanTestWorld, SILENT_LOG } from './testing/scan-world.ts';

const of: { world: ScanTestWorld } = {} as never;

test.before('a world with forty services, twelve of them labelled', async () => {
  of.world = await createScanWorld();
  const [a = '', b = ''] = of.world.namespaces;
  for (let i = 0; i < 40; i += 1)
    await of.world.service(i % 2 === 0 ? a : b, `s${i}`, i < 12 ? { tier: 'web' } : {});
});

test.after.always('it goes', () => of.world.close());

const LABELLED = denying('input.review.object.metadata.labels.tier == "web"');
const NOBODY = denying('input.review.name == "none"');
const EVERYBODY = denying('input.review.name != ""');

/** The report, once there is one. */
async function reported(reporter: BlastReporter, question: BlastQuestion) {
  const known = await eventually('the report is there', async () => {
    const answer: BlastAnswer = reporter.ask(question);
    return answer.kind === 'known' ? answer.report : undefined;
  });
  return known;
}

test('a report has what two real modules judge differently, of what really exists', async (t) => {
  const { world } = of;
  const pack = world.pack('blast');
  const [v1, v2] = [
    await world.revision(pack, { name: 'blast-1', rego: NOBODY }),
    await world.revision(pack, { name: 'blast-2', rego: LABELLED }),
  ];
  const reporter = new BlastReporter({ client: world.client, judge: world.judge, log: SILENT_LOG });
  const told: string[] = [];
  reporter.onDone((key) => told.push(key));
  const stricter = await reported(reporter, { pack, revision: v2, against: v1, world: world.world() });
  t.like(stricter, {
    revision: 'blast-2',
    against: 'blast-1',
    scanned: 40,
    complete: true,
    newlyDenied: 12,
    newlyAllowed: 0,
    bothDenied: 0,
  });
  t.deepEqual(
    stricter.byNamespace?.map(({ newlyDenied }) => newlyDenied),
    [6, 6],
  );
  t.like(stricter.examples?.[0], {
    kind: 'Service',
    name: 's0',
    newly: 'Denied',
    message: 's0 is not allowed',
  });
  t.deepEqual(told, [`${world.platformNamespace}/blast`], 'whoever asked is woken');
  const looser = await reported(reporter, { pack, revision: v1, against: v2, world: world.world() });
  t.like(looser, { newlyDenied: 0, newlyAllowed: 12 });
  const first = await reported(reporter, { pack, revision: v2, against: undefined, world: world.world() });
  t.is(first.newlyDenied, 12);
  t.is(first.against, undefined);
  const exempt = makeExemption({
    packRef: { namespace: world.platformNamespace, name: 'blast' },
    subjects: { namespaces: [world.namespaces[0]!] },
    expiresAt: '2100-01-01T00:00:00Z',
  });
  const again = new BlastReporter({ client: world.client, judge: world.judge, log: SILENT_LOG });
  const lifted = await reported(again, { pack, revision: v2, against: v1, world: world.world([exempt]) });
  t.is(lifted.newlyDenied, 6, 'what an exemption lifts is not refused');
  await Promise.all([reporter.close(), again.close()]);
});

test('a report on what cannot run says so of each object, and ends', async (t) => {
  const { world } = of;
  const pack = world.pack('loop');
  const endless = denying(
    'count({x | some i in numbers.range(0, 3000); some j in numbers.range(0, 3000); x := i * j}) > 0',
  );
  const evaluation = { deadlineMs: 50, memoryMiB: 16 };
  const revision = await world.revision(pack, { name: 'loop-1', rego: endless, evaluation });
  const reporter = new BlastReporter({ client: world.client, judge: world.judge, log: SILENT_LOG });
  const report = await reported(reporter, { pack, revision, against: undefined, world: world.world() });
  t.like(report, { newlyDenied: 40, scanned: 40 });
  t.regex(report.examples?.[0]?.message ?? '', /cannot be evaluated/);
  await reporter.close();
});

test('a kind of others that is named, and that nobody has defined yet, makes a report that is not complete', async (t) => {
  const { world } = of;
  const { client, judge } = world;
  const pack = world.pack('foreign');
  const binding = { rules: [{ apiGroups: ['absent.example.com'], resources: ['widgets'] }] };
  const revision = await world.revision(pack, { name: 'foreign-1', rego: LABELLED, binding });
  const [apiVersion, kind, plural] = ['absent.example.com/v1', 'Widget', 'widgets'];
  const foreignKinds = [{ apiVersion, kind, plural, namespaced: true }];
  const reporter = new BlastReporter({ client, judge, log: SILENT_LOG, foreignKinds });
  const report = await reported(reporter, { pack, revision, against: undefined, world: world.world() });
  t.like(report, { scanned: 0, complete: false });
  await reporter.close();
});

test('a report is bounded, and says that it is not of everything', async (t) => {
  const { world } = of;
  const pack = world.pack('bounded');
  const revision = await world.revision(pack, { name: 'bounded-1', rego: EVERYBODY });
  const secrets = await world.revision(pack, {
    name: 'bounded-2',
    rego: EVERYBODY,
    binding: { rules: [{ apiGroups: [''], resources: ['services', 'secrets'] }] },
  });
  const some = { client: world.client, judge: world.judge, log: SILENT_LOG };
  const few = new BlastReporter({ ...some, limits: { objects: 10 } });
  t.like(await reported(few, { pack, revision, against: undefined, world: world.world() }), {
    scanned: 10,
    complete: false,
  });
  const reporter = new BlastReporter(some);
  t.like(await reported(reporter, { pack, revision: secrets, against: undefined, world: world.world() }), {
    scanned: 40,
    complete: false,
  });
  await Promise.all([few.close(), reporter.close()]);
});

test('a module that is not there is told, and waited for', async (t) => {
  const { world } = of;
  const pack = world.pack('absent');
  const there = await world.revision(pack, { name: 'absent-1', rego: NOBODY });
  const spec = there['spec'] as { readonly module: object };
  const absent = {
    ...there,
    metadata: { ...there.metadata, name: 'absent-2' },
    spec: { ...spec, module: { ...spec.module, chunks: ['nowhere'] } },
  };
  const reporter = new BlastReporter({ client: world.client, judge: world.judge, log: SILENT_LOG });
  const question = { pack, revision: absent, against: undefined, world: world.world() };
  const progress = await eventually('it says why', async () => {
    const answer = reporter.ask(question);
    return answer.kind === 'pending' && answer.progress.includes('nowhere') ? answer.progress : undefined;
  });
  t.regex(progress, /ConfigMap nowhere is not there/);
  const other = { pack: world.pack('present'), revision: there, against: undefined, world: world.world() };
  const known = await eventually('others have their turn meanwhile', async () => {
    const answer = reporter.ask(other);
    return answer.kind === 'known' ? answer.report : undefined;
  });
  t.is(known.revision, 'absent-1');
  t.is(reporter.ask(question).kind, 'pending');
  await reporter.close();
});

const tenantOf = (name: string, tenant: string) =>
  [name, { name, labels: { [LABELS.tenant]: tenant } }] as const;

test('a hundred packs of a tenant keep neither the platform nor a neighbour waiting', async (t) => {
  const { world } = of;
  const [loud = '', calm = ''] = world.namespaces;
  const base = world.world();
  const facts = { labels: {}, plan: 'standard', tier: 'Soft' as const };
  const scanWorld = {
    ...base,
    namespaces: new Map([tenantOf(loud, 'loud'), tenantOf(calm, 'calm')]),
    tenants: new Map(['loud', 'calm'].map((name) => [name, { name, ...facts }])),
  };
  const open = Promise.withResolvers<void>();
  let underWay = 0;
  let most = 0;
  const client: Pick<Client, 'list'> = {
    // What the loud tenant has is slow to read.
    async *list(resource, selection) {
      if (selection?.namespace === loud) {
        underWay += 1;
        most = Math.max(most, underWay);
        await open.promise;
        underWay -= 1;
      }
      yield* world.client.list(resource, selection);
    },
  };
  const reporter = new BlastReporter({ client, judge: world.judge, log: SILENT_LOG });
  const told: string[] = [];
  reporter.onDone((key) => told.push(key));
  const packIn = (namespace: string, name: string) => {
    const pack = world.pack(name);
    return { ...pack, metadata: { ...pack.metadata, namespace } };
  };
  const revised = async (pack: KubeObject) => ({
    pack,
    revision: await world.revision(pack, { name: `${pack.metadata.name}-1`, rego: EVERYBODY }),
    against: undefined,
    world: scanWorld,
  });
  const first = await revised(packIn(loud, 'loud'));
  const many = Array.from({ length: 100 }, (_, i) => {
    const pack = packIn(loud, `loud-${i}`);
    const { metadata } = first.revision;
    const named = { ...metadata, uid: `uid-of-loud-${i}-1` };
    return { ...first, pack, revision: { ...first.revision, metadata: named } };
  });
  const answers = many.map((question) => reporter.ask(question));
  t.is(answers.filter((one) => one.kind === 'pending' && one.progress.startsWith('not begun')).length, 83);
  const ours = await reported(reporter, await revised(world.pack('turn-platform')));
  t.is(ours.scanned, 40, 'the whole cluster');
  const theirs = await reported(reporter, await revised(packIn(calm, 'turn-calm')));
  t.is(theirs.scanned, 20, 'what the tenant has');
  t.is(most, 1, 'one of a tenant at a time');
  open.resolve();
  await eventually('all of them follow by themselves', async () => {
    const left = many.filter(({ pack }) => told.includes(`${loud}/${pack.metadata.name}`));
    for (const question of left) reporter.ask(question);
    return many.every((question) => reporter.ask(question).kind === 'known') ? true : undefined;
  });
  await reporter.close();
});

/** A scanner that is quick, and how often modules were asked for it. */
function scannerOf(world: ScanTestWorld) {
  const asked = { count: 0 };
  const evaluate: Evaluate = async (evaluation) => {
    const verdict = await world.host.evaluate(evaluation);
    // Where the machine has no time for it, it is asked once more.
    if (verdict.kind !== 'failed' || !['Overloaded', 'Lost'].includes(verdict.reason)) asked.count += 1;
    return verdict;
  };
  const { client, platformNamespace, metrics } = world;
  const judge = new PolicyJudge({ client, platformNamespace, evaluate });
  const scanner = new PolicyScanner({ client, judge, metrics, log: SILENT_LOG, intervalMs: 200, soonMs: 10 });
  return { scanner, asked };
}

interface ReportView {
  readonly summary: Readonly<Record<string, number>>;
  readonly results: readonly {
    readonly result: string;
    readonly resources: readonly { readonly name: string }[];
  }[];
}

const summaryOf = (report: KubeObject | undefined) => (report as unknown as ReportView | undefined)?.summary;

test.serial('a scan asks about each object once, and again only about what has changed', async (t) => {
  const { world } = of;
  const pack = world.pack('scan');
  const revision = await world.revision(pack, { name: 'scan-1', rego: LABELLED });
  const { scanner, asked } = scannerOf(world);
  const ask = () => scanner.ask({ pack, revision, world: world.world() });
  const scan = await eventually('it is scanned', async () => ask());
  t.is(scan.reports.length, 2);
  t.true(scan.complete);
  t.deepEqual(scan.reports.map(summaryOf), [
    { pass: 14, fail: 6, warn: 0, error: 0, skip: 0 },
    { pass: 14, fail: 6, warn: 0, error: 0, skip: 0 },
  ]);
  t.is(asked.count, 40);
  const text = await world.metrics.text();
  t.regex(text, /nexusos_policy_violations\{enforcement="Deny",result="fail"\} 12/);
  t.notRegex(text, /scan-[0-9a-f]{8}-a/, 'no name of an object, a namespace or a tenant');
  const told: string[] = [];
  scanner.onDone((key) => told.push(key));
  const [a = ''] = world.namespaces;
  const extra = await world.service(a, 'extra', { tier: 'web' });
  await eventually('the new one is found', async () =>
    summaryOf(ask()?.reports[0])?.['fail'] === 7 ? true : undefined,
  );
  t.is(asked.count, 41);
  t.deepEqual(
    told,
    [`${world.platformNamespace}/scan`],
    'one change is told once, and rounds without any are not',
  );
  await world.client.delete(
    { apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true },
    { name: extra.metadata.name, namespace: a },
  );
  await eventually('it is gone', async () =>
    summaryOf(ask()?.reports[0])?.['fail'] === 6 ? true : undefined,
  );
  t.is(asked.count, 41);
  await scanner.close();
});

test.serial('an exemption counts in a scan until it expires, with no module asked again', async (t) => {
  const { world } = of;
  const pack = world.pack('expiry');
  const revision = await world.revision(pack, { name: 'expiry-1', rego: LABELLED });
  const { scanner, asked } = scannerOf(world);
  const [a = ''] = world.namespaces;
  const exemptUntil = (expiresAt: string) =>
    makeExemption({
      packRef: { namespace: world.platformNamespace, name: 'expiry' },
      subjects: { namespaces: [a] },
      expiresAt,
    });
  let exemption = exemptUntil('2100-01-01T00:00:00Z');
  const ask = () => scanner.ask({ pack, revision, world: world.world([exemption]) });
  const results = () =>
    (ask()?.reports.find(({ metadata }) => metadata.namespace === a) as unknown as ReportView | undefined)
      ?.summary;
  await eventually('it is exempt', async () => (results()?.['skip'] === 6 ? true : undefined));
  t.is(results()?.['fail'], 0);
  // It ends soon only now: on a machine that is busy, the first scan may take longer than that.
  const until = new Date(Date.now() + 1000).toISOString();
  exemption = exemptUntil(until);
  await eventually('it is not any more', async () => (results()?.['fail'] === 6 ? true : undefined));
  t.true(Date.now() >= Date.parse(until));
  t.is(results()?.['skip'], 0);
  t.is(asked.count, 40);
  await scanner.close();
});

test.serial('one answer that came too late may be the machine, and is no denial', async (t) => {
  const { world } = of;
  const late = { left: 2 };
  const evaluate: Evaluate = async (evaluation) => {
    late.left -= 1;
    if (late.left < 0) return world.host.evaluate(evaluation);
    return { kind: 'failed', reason: 'Timeout', message: 'it took more than 50 ms', micros: 50_000 };
  };
  const { client, platformNamespace } = world;
  const judge = new PolicyJudge({ client, platformNamespace, evaluate });
  const pack = world.pack('late');
  const revision = await world.revision(pack, { name: 'late-1', rego: NOBODY });
  const reporter = new BlastReporter({ client, judge, log: SILENT_LOG });
  const report = await reported(reporter, { pack, revision, against: undefined, world: world.world() });
  t.like(report, { newlyDenied: 0, complete: true });
  await reporter.close();
});

test.serial('workers are there while something is asked, and not for longer', async (t) => {
  const { world } = of;
  const { metrics } = world;
  const workers = { platformWorkers: 1, tenantWorkers: 1, spareWorkers: 0 };
  const host = new HostOnDemand({ ...workers, metrics, limits: PATIENT }, 50);
  t.false(host.isRunning);
  const pack = world.pack('demand');
  const revision = await world.revision(pack, { name: 'demand-1', rego: LABELLED });
  const { client, platformNamespace } = world;
  const judge = new PolicyJudge({ client, platformNamespace, evaluate: host.evaluate });
  const reporter = new BlastReporter({ client, judge, log: SILENT_LOG });
  const report = await reported(reporter, { pack, revision, against: undefined, world: world.world() });
  t.is(report.newlyDenied, 12);
  await eventually('they end', async () => (host.isRunning ? undefined : true));
  await reporter.close();
});
