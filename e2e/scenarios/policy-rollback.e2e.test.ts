// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { RollbackDrill } from '#hack/system/rollback-drill';
import { probeService, versionsIn } from '#hack/system/version-watch';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission } from '../admission-world.ts';
import { LiveTraffic, namespaceOf } from '../live-traffic.ts';
import { SteadyLoad } from '../steady-load.ts';

interface World extends AdmissionWorld {
  readonly drill: RollbackDrill;
  readonly load: SteadyLoad;
  readonly traffic: LiveTraffic;
  /** Since when a version decides. */
  readonly since: number;
}

const test = anyTest.serial as TestFn<World>;
const TENANTS = ['rolled-a', 'rolled-b', 'rolled-c'];
const NAMESPACE = namespaceOf('rolled-a');
/** A certificate is valid for so long: some are replaced while it is gone back. Of that an API server has a sixth to learn what to trust. */
const SECONDS = 60;
const TRIES = 6;
/** The bar of the design is on p99 of fifty, which `npm run bench -- rollback` measures; here it is on the slowest of a few. */
const MOST_MS = 5000;
/** Where others keep the machine busy, so many times what half of the requests take; and never more than the other. */
const BUSY = { requests: 20, atMostMs: 20_000 };
/** Two versions that refuse the same in other words are all that is compared here. */
const ROLLOUT = { maxNewlyDeniedPercent: 100 };

test.before(async (t) => {
  const world = await startAdmission({ replicas: 3, values: { certificates: { seconds: SECONDS } } });
  t.context = world as World;
  const traffic = await LiveTraffic.start(world.cluster, { admin: world.user, tenants: TENANTS, tagged: 0 });
  t.context = { ...world, traffic } as World;
  const drill = new RollbackDrill(world.cluster, { webhooks: world.webhooks, namespace: NAMESPACE });
  t.context = { ...world, traffic, drill } as World;
  for (const version of ['1.0.0', '2.0.0']) {
    await drill.applies(version, { rollout: ROLLOUT });
    await drill.decides(version);
  }
  const since = performance.now();
  const path = `/api/v1/namespaces/${NAMESPACE}/services?dryRun=All`;
  const load = new SteadyLoad(world.cluster, { path, object: probeService(NAMESPACE), width: 4 });
  t.context = { ...world, traffic, drill, load, since };
});
test.after.always(async ({ context }) => {
  await context.load?.stop();
  await context.traffic?.stop();
  await context.drill?.watch.stop();
  await context.close?.();
});

function mostMs({ load, traffic }: World): number {
  const times = [...load.sent, ...traffic.answers].map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  const usualMs = times[Math.floor(times.length / 2)] ?? 0;
  return Math.min(Math.max(MOST_MS, BUSY.requests * usualMs), BUSY.atMostMs);
}

/** What the API server was told and nobody should have been: all that is asked for is refused, by one version in its words. */
function wrong({ load, drill, traffic }: World, since: number): readonly string[] {
  const refused = load.sent.filter(({ at }) => at >= since);
  const unruly = refused.filter(({ status, text }) => status !== 403 || !isOfOne(text));
  const plain = traffic.since(since).filter(({ status }) => status !== 200);
  return [
    ...unruly.map(({ text }) => text),
    ...plain.map(({ message }) => message),
    ...drill.watch.mixed(since),
  ];
}

/** Two findings, of the version that is named with them. */
function isOfOne(text: string): boolean {
  const [version, ...others] = versionsIn(text, 'nexusos-system/drilled');
  const found = [...text.matchAll(/(?:first|second) of ([0-9.]+)/g)].map(([, one]) => one);
  return others.length === 0 && found.length >= 2 && found.every((one) => one === version);
}

test('going back reaches all replicas within seconds, again and again, under load', async (t) => {
  t.timeout(4 * 60_000);
  const { drill } = t.context;
  const since = performance.now();
  const times: number[] = [];
  for (let i = 0; i < TRIES; i += 1) times.push(await drill.goesBack());
  t.log(`milliseconds until the last answer of any of three replicas: ${times.map(Math.round).join(', ')}`);
  t.true(Math.max(...times) <= mostMs(t.context), times.join(', '));
  t.deepEqual(wrong(t.context, since), []);
  t.true(t.context.load.sent.length > 100, `${t.context.load.sent.length} requests`);
});

test('a replica that ends in the middle, and one that comes, change nothing of that', async (t) => {
  t.timeout(4 * 60_000);
  const { drill, webhooks } = t.context;
  const since = performance.now();
  const [first] = webhooks.processes;
  const back = drill.goesBack();
  await first!.process.stop();
  t.true((await back) <= mostMs(t.context));
  const again = drill.goesBack();
  drill.watch.add(await webhooks.start());
  t.true((await again) <= mostMs(t.context));
  t.deepEqual(wrong(t.context, since), []);
});

test('certificates are replaced meanwhile', async (t) => {
  t.timeout(4 * 60_000);
  const { drill, webhooks, since } = t.context;
  await eventually('each has served another', async () => {
    await drill.goesBack();
    return webhooks.processes
      .filter(({ process }) => !process.hasEnded)
      .every(({ process }) => process.log.tail(500).includes('serving another certificate'));
  });
  t.deepEqual(wrong(t.context, since), []);
});

const HARMFUL = '3.0.0';

function isHarm({ message }: { readonly message: string }): boolean {
  return message.includes(HARMFUL);
}

test('what only requests show in a cohort is undone on all replicas within seconds', async (t) => {
  t.timeout(4 * 60_000);
  const { drill, traffic } = t.context;
  await drill.letsGo();
  // What was gone back to before was either: now it is what the source says, and not before all replicas have gone over to that.
  const deciding = '2.0.0';
  await drill.decides(deciding);
  const { activeRevision = '' } = await drill.status();
  const rego = 'deny contains "odd" if input.review.object.metadata.annotations.purpose == "odd"';
  const steps = [{ percent: 99, soakSeconds: 600 }];
  await drill.applies(HARMFUL, { rego, rollout: { steps } });
  await eventually('it decides for nearly all', async () => (await drill.status()).phase === 'Cohort');
  traffic.isOdd = true;
  const harmed = await eventually('it does harm', () => traffic.answers.find(isHarm));
  await eventually('it is undone', async () => (await drill.status()).phase === 'RolledBack');
  const undoneAt = performance.now();
  traffic.isOdd = false;
  await drill.hasGoneOverTo(deciding);
  const ends = [drill.watch.last(HARMFUL, harmed.at), traffic.answers.findLast(isHarm)];
  const last = Math.max(...ends.map((one) => one?.at ?? 0));
  t.log(`undone ${Math.round(last - harmed.at)} ms after the first harm`);
  // How long the evidence takes goes by how much is asked, which on a busy machine is little: the bench has the bar for that.
  t.true(last - undoneAt <= mostMs(t.context));
  t.is((await drill.status()).activeRevision, activeRevision);
});
