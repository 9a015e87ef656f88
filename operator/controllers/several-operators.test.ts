// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { API_VERSION, LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../core/object.ts';
import { isPodFinished } from '../core/run/outcome.ts';
import { isFinished, type Run } from '../core/run/run.ts';
import type { Ledger } from '../core/tenant/tenant.ts';
import { follow } from '../runtime/testing/follow.ts';
import { hasStatus } from '../runtime/api-error.ts';
import { NAMESPACES, QUOTA_LEDGERS, RUNS, TENANTS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import { isDealtOut, type OperatorFleet, startFleet, sumOf } from './testing/operator-fleet.ts';
import {
  auditOf,
  becomes,
  createRun,
  isOperator,
  listAll,
  makeAgent,
  makeTenant,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<OperatorFleet>;

const SHARDS = 12;
const LEASE_MS = 4000;
/** Cards of class l4 on the simulated nodes: four on each of two. */
const CARDS = 8;
const PLACES = 3;
const DURATION = 'kwok.nexusos.dev/duration';
const CALM = Array.from({ length: 9 }, (_, i) => `calm-${i}`);
const PLAYERS = ['gpu-a', 'gpu-b', 'gpu-c'];
const QUIET_MS = 10_000;

test.before(async (t) => {
  const fleet = await startFleet({ shards: SHARDS, leaseDurationMs: LEASE_MS });
  t.context = fleet;
  for (let i = 0; i < 3; i += 1) await fleet.start();
  await isDealtOut(fleet, SHARDS);
  const runs = { maxConcurrent: PLACES };
  const namespaces = [{ suffix: 'main' }];
  await Promise.all(CALM.map((name) => makeTenant(fleet, name, { namespaces, quotas: { runs } })));
  // Each may have all cards: only that they are given away in one place keeps them from having more than there are.
  const gpus = [{ class: 'l4', count: CARDS }];
  await Promise.all(PLAYERS.map((name) => makeTenant(fleet, name, { namespaces, quotas: { gpus } })));
  for (const name of CALM) await makeAgent(fleet, { namespace: `${name}-main`, name: 'agent' });
  for (const name of PLAYERS) {
    for (const count of [1, 3]) {
      const gpu = { class: 'l4', count };
      await makeAgent(fleet, { namespace: `${name}-main`, name: `cards-${count}` }, { gpu });
    }
  }
});
test.after.always((t) => t.context?.close());

test('shards are dealt out evenly, each tenant is one operator’s, and one does what spans tenants', async (t) => {
  const fleet = t.context;
  await isDealtOut(fleet, SHARDS);
  await eventually('each tenant is one operator’s', async () => {
    const tenants = await fleet.read('nexusos_shard_tenants');
    return sumOf(tenants) === CALM.length + PLAYERS.length;
  });
  t.true(sumOf(await fleet.read('nexusos_shard_changes_total{change="gained"}')) >= SHARDS);
});

test('what comes at once with a new tenant finds its operator', async (t) => {
  const fleet = t.context;
  // Operators see the ledger of a tenant, and what is in its namespace, at different moments.
  const born = Array.from({ length: 9 }, (_, i) => `born-${i}`);
  const bear = async (name: string) => {
    const namespace = `${name}-main`;
    const spec = { namespaces: [{ suffix: 'main' }] };
    await fleet.client.create(TENANTS, { ...plainTenant(name), spec }, 'test');
    await eventually(`${namespace} is there`, () => fleet.client.get(NAMESPACES, { name: namespace }));
    await eventually('Agent and Run are taken', async () => {
      await makeAgent(fleet, { namespace, name: 'agent' }).catch(unlessThere);
      await createRun(fleet, { namespace, name: 'first' }).catch(unlessThere);
      return true;
    });
  };
  await Promise.all(born.map(bear));
  for (const name of born) {
    await eventually(`the first Run of ${name} has ended`, async () => {
      const run = (await fleet.client.get(RUNS, { namespace: `${name}-main`, name: 'first' })) as Run;
      if (run.status?.phase !== 'Succeeded') throw new Error(JSON.stringify(run.status));
      return true;
    });
  }
  t.pass();
});

function plainTenant(name: string) {
  return { apiVersion: API_VERSION, kind: 'Tenant', metadata: { name } };
}

function unlessThere(error: unknown): void {
  if (!hasStatus(error, 409)) throw error;
}

test('a Run that waits for devices says so, whoever has its tenant, and starts when it is its turn', async (t) => {
  const fleet = t.context;
  const place = { namespace: 'gpu-a-main' };
  const long = { annotations: { [DURATION]: '1h' } };
  const held = ['hold-0', 'hold-1'].map((name) => ({ ...place, name }));
  const cancel = async () => {
    const body = { spec: { cancel: true } };
    for (const key of held) await fleet.client.patch(RUNS, key, { body });
  };
  t.teardown(cancel);
  for (const key of held) await createRun(fleet, key, { agent: 'cards-3', ...long });
  for (const key of held) await becomes(fleet, key, { phase: 'Running' });
  // The first tenant has used its own quota: what keeps these is that there are no more.
  const waiting = PLAYERS.slice(1).map((name) => ({ namespace: `${name}-main`, name: 'waits' }));
  for (const key of waiting) await createRun(fleet, key, { agent: 'cards-3' });
  for (const key of waiting) await becomes(fleet, key, { phase: 'Queued', reason: 'NoFreeDevices' });
  await cancel();
  for (const key of waiting) await becomes(fleet, key, { phase: 'Succeeded' });
  t.pass();
});

/** What watches saw from the first Run on, one change after the other: nothing between two looks is missed. */
interface Seen {
  /** Names of the pods that were ever there, by the UID of their Run. */
  readonly pods: Map<string, Set<string>>;
  readonly faults: Set<string>;
  readonly ended: Set<string>;
  stop(): Promise<void>;
}

async function record({ client }: OperatorFleet): Promise<Seen> {
  const pods = new Map<string, Set<string>>();
  const ended = new Set<string>();
  const faults = new Set<string>();
  const ledgers = new Map<string, Ledger>();
  const cards = new Map<string, number>();
  const places = new Map<string, string>();
  const followings = await Promise.all([
    follow({ client, resource: QUOTA_LEDGERS }, ({ object }) => {
      ledgers.set(object.metadata.name, object as Ledger);
      for (const fault of overshoots([...ledgers.values()])) faults.add(fault);
    }),
    follow({ client, resource: PODS, labelSelector: LABELS.runUid }, ({ type, object }) => {
      const { name, uid = '', labels = {} } = object.metadata;
      const run = labels[LABELS.runUid] ?? '';
      pods.set(run, (pods.get(run) ?? new Set()).add(`${name} ${uid}`));
      if (type === 'delete' || isPodFinished(object)) cards.delete(uid);
      else cards.set(uid, cardsOf(object));
      const sum = [...cards.values()].reduce((a, b) => a + b, 0);
      places.set(uid, `${name} on ${(object['spec'] as { nodeName?: string }).nodeName ?? 'no node'}`);
      if (sum > CARDS) {
        const all = [...cards]
          .filter(([, count]) => count > 0)
          .map(([one, count]) => `${places.get(one)}: ${count}`);
        faults.add(`pods ask for ${sum} cards at one time: ${all.join(', ')}`);
      }
    }),
    follow({ client, resource: RUNS }, ({ object }) => {
      const run = object as Run;
      if (isFinished(run)) ended.add(run.metadata.uid ?? '');
    }),
  ]);
  return {
    pods,
    faults,
    ended,
    stop: async () => {
      for (const following of followings) await following.stop();
    },
  };
}

/** What was given away beyond what there is, by ledgers as they are at one moment. */
function overshoots(ledgers: readonly Ledger[]): readonly string[] {
  const reserved = ledgers.flatMap(({ status }) => status?.reservations ?? []);
  const cards = reserved.reduce((sum, one) => sum + (one.gpuClass === 'l4' ? (one.gpus ?? 0) : 0), 0);
  const full = ledgers.filter(
    ({ metadata, status }) => CALM.includes(metadata.name) && (status?.reservations ?? []).length > PLACES,
  );
  return [
    ...(cards > CARDS ? [`${cards} cards are reserved`] : []),
    ...full.map(
      ({ metadata, status }) => `${metadata.name}: ${status?.reservations?.length} Runs at one time`,
    ),
  ];
}

function cardsOf(pod: KubeObject): number {
  const { containers = [] } = pod['spec'] as {
    readonly containers?: readonly { readonly resources?: { readonly limits?: Record<string, string> } }[];
  };
  return containers.reduce(
    (sum, { resources }) => sum + Number(resources?.limits?.['nvidia.com/gpu'] ?? 0),
    0,
  );
}

/** Creates a Run of each tenant again and again, until it is stopped. */
function feed(fleet: OperatorFleet) {
  const names: string[] = [];
  const end = new AbortController();
  const create = async (tenant: string, agent: string, duration: string) => {
    const name = `r-${names.length}`;
    names.push(name);
    const annotations = { [DURATION]: duration };
    await createRun(fleet, { namespace: `${tenant}-main`, name }, { agent, annotations });
  };
  const feeding = (async () => {
    while (!end.signal.aborted) {
      for (const tenant of CALM) await create(tenant, 'agent', '500ms');
      // More than there are cards for; one each, which fit wherever one is free, so that the sum says it all.
      for (const tenant of [...PLAYERS, ...PLAYERS, ...PLAYERS]) await create(tenant, 'cards-1', '1500ms');
      await delay(1000);
    }
  })();
  return {
    stop: async () => {
      end.abort();
      await feeding;
      return names.length;
    },
  };
}

/** Ends, stalls and replaces operators, one after the other, so that two are left at any time. */
async function disturb(t: ExecutionContext<OperatorFleet>): Promise<void> {
  const fleet = t.context;
  const blows = {
    kill: async (name: string) => {
      await fleet.kill(name);
      await fleet.start();
    },
    // Longer than its Leases last: others have its shards when it wakes up in the middle of what it did.
    stall: (name: string) => fleet.stall(name, LEASE_MS * 2),
    stop: async (name: string) => {
      await fleet.stop(name);
      await fleet.start();
    },
  };
  for (const blow of ['kill', 'stall', 'stop', 'stall', 'kill', 'stall'] as const) {
    // Who leads has most to lose.
    const leaders = await fleet.read('nexusos_leader');
    const [victim = ''] = [...leaders].toSorted(([, a], [, b]) => b - a).map(([name]) => name);
    t.log(`${blow} ${victim}`);
    await blows[blow](victim);
    await delay(2000);
  }
}

test('Runs go on while operators are ended, stalled and replaced: each is started once, none is lost, nothing is given away twice', async (t) => {
  t.timeout(15 * 60_000);
  const fleet = t.context;
  const seen = await record(fleet);
  const feeding = feed(fleet);
  await disturb(t);
  const count = await feeding.stop();
  await eventually(`all of ${count} Runs have ended`, () => seen.ended.size >= count, 300_000);
  await eventually('all places are given back', async () => {
    const ledgers = (await listAll(fleet, QUOTA_LEDGERS)) as readonly Ledger[];
    return ledgers.every(({ status }) => (status?.reservations ?? []).length === 0);
  });
  await seen.stop();
  const runs = ((await listAll(fleet, RUNS)) as readonly Run[]).filter(({ metadata }) =>
    /^r-\d+$/.test(metadata.name),
  );
  t.log(`${count} Runs`);
  t.is(runs.length, count);
  t.deepEqual(
    runs.filter(({ status }) => status?.phase !== 'Succeeded').map(({ metadata }) => metadata.name),
    [],
  );
  t.deepEqual([...seen.faults], []);
  const made = runs.map(({ metadata: { name, uid = '' } }) => ({ name, pods: seen.pods.get(uid)?.size }));
  t.deepEqual(
    made.filter(({ pods }) => pods !== 1),
    [],
    'each Run had one pod',
  );
  await isDealtOut(fleet, SHARDS);
});

test('when nobody wants anything, operators write nothing but their Leases', async (t) => {
  const fleet = t.context;
  await isDealtOut(fleet, SHARDS);
  const writes = async () =>
    (await auditOf(fleet)).filter(
      ({ user, verb, resource }) =>
        isOperator(user) && !['get', 'list', 'watch'].includes(verb) && resource !== 'leases',
    );
  let last = await writes();
  await eventually('they have been silent for some time', async () => {
    await delay(QUIET_MS);
    const now = await writes();
    if (now.length === last.length) return true;
    const news = now.slice(last.length).map(({ verb, uri, code }) => `${verb} ${uri} ${code}`);
    last = now;
    throw new Error(news.slice(0, 5).join(', '));
  });
  t.pass();
});

test('who goes back to one operator, or another number of shards, has them wait for each other', async (t) => {
  const fleet = t.context;
  const others = fleet.names();
  const lone = await fleet.start({ NEXUSOS_SHARDS: '0' });
  t.is((await fleet.read('nexusos_leader')).get(lone), 0);
  await Promise.all(others.map((name) => fleet.stop(name)));
  await eventually('it leads', async () => (await fleet.read('nexusos_leader')).get(lone) === 1);
  await createRun(fleet, { namespace: 'calm-0-main', name: 'alone' });
  await eventually('it does all', async () => {
    const run = (await fleet.client.get(RUNS, { namespace: 'calm-0-main', name: 'alone' })) as Run;
    return run.status?.phase === 'Succeeded';
  });
  const next = await fleet.start();
  t.is((await fleet.read('nexusos_shards')).get(next), 0, 'one that works by shards stands by');
  await fleet.stop(lone);
  await isDealtOut(fleet, SHARDS);
  t.deepEqual([...(await fleet.read('nexusos_shards')).values()], [SHARDS]);
});
