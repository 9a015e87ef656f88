// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { boundToken, Caller, send } from '../caller.ts';
import { agent, FOREVER, phase, run, waits, type World, world } from '../run-world.ts';

interface TreeRun {
  readonly metadata: { readonly uid: string; readonly name: string };
  readonly status?: {
    readonly phase?: string;
    readonly attempt?: number;
    readonly call?: { readonly depth: number; readonly levels: number };
    readonly child?: { readonly name: string };
    readonly error?: { readonly code: string; readonly message: string };
    readonly usage?: { readonly total?: { readonly runUnits: string } };
    readonly tree?: {
      readonly calls: number;
      readonly depth: number;
      readonly active: number;
      readonly succeeded: number;
      readonly cancelled: number;
      readonly runUnits: {
        readonly limit?: string;
        readonly used: string;
        readonly reserved: string;
        readonly left?: string;
      };
    };
  };
}

function lead(namespace: string, calls: object, name = 'lead') {
  const { metadata, ...rest } = agent(namespace, { calls });
  return { ...rest, metadata: { ...metadata, name } };
}

function ofLead(namespace: string, name: string, spec: object = {}) {
  return run(namespace, name, { ...FOREVER, spec: { agentRef: { name: 'lead' }, ...spec } });
}

function seen({ user, namespace }: World, name: string): Promise<TreeRun | undefined> {
  return user.sees<TreeRun>('-n', namespace, `run/${name}`);
}

async function errorOf(
  place: World,
  name: string,
): Promise<{ readonly code: string; readonly message: string }> {
  return (await seen(place, name))?.status?.error ?? { code: '', message: '' };
}

function isIn(place: World, name: string, wanted: string): Promise<unknown> {
  return eventually(`${name} is ${wanted}`, async () => {
    const found = await phase(place, name);
    if (found !== wanted) throw new Error(`it is ${found}`);
    return true;
  });
}

interface Choice {
  readonly calls: object;
  readonly tenant?: object;
}

/** A tenant with the Agents `worker`, and `lead`, which may call others. */
async function worldOf(t: ExecutionContext, name: string, { calls, tenant = {} }: Choice): Promise<World> {
  const place = await world(t, name, { tenant });
  await place.user.applies(lead(place.namespace, calls));
  await place.user.awaitsReady('-n', place.namespace, 'agent/lead');
  return place;
}

test('a container calls another agent with the token of its pod, and is told how deep it is and what was used', async (t) => {
  const place = await worldOf(t, 'caller', { calls: { agents: ['worker', 'lead'], maxDepth: 2 } });
  const { user, namespace } = place;
  await user.applies(ofLead(namespace, 'above'));
  const above = await Caller.of(place, 'above');
  t.is(above.env.get('NEXUSOS_DEPTH'), '0');
  t.is(above.env.get('NEXUSOS_LEVELS'), '2');
  t.is((await above.calls('below', { agent: 'lead', ...FOREVER })).status, 201);
  const below = await Caller.of(place, 'below');
  t.is(below.env.get('NEXUSOS_DEPTH'), '1');
  t.is(below.env.get('NEXUSOS_PARENT'), 'above');
  t.is((await below.calls('lowest')).status, 201);
  await isIn(place, 'lowest', 'Succeeded');
  t.like((await seen(place, 'lowest'))?.status?.call, { depth: 2, levels: 0 });
  const wide = await user.does([
    'get',
    'runs',
    '-n',
    namespace,
    '-o',
    'wide',
    '--field-selector',
    'spec.parentRef.name=below',
  ]);
  t.regex(wide, /PARENT +DEPTH/);
  t.regex(wide, /lowest .* below +2 /);
  const { tree } = await eventually('the Run above all tells of those below', async () => {
    const status = (await seen(place, 'above'))?.status;
    // What it used is settled after its end.
    return status?.tree?.succeeded === 1 && status.tree.runUnits.used !== '0' ? status : undefined;
  });
  t.like(tree, { calls: 2, depth: 2, active: 1 });
  t.is(tree?.runUnits.used, (await seen(place, 'lowest'))?.status?.usage?.total?.runUnits);
});

test('a token of a pod creates nothing but Runs that its own Run calls', async (t) => {
  const place = await worldOf(t, 'cheater', {
    calls: { agents: ['worker'], maxTotal: 2 },
    tenant: { namespaces: [{ suffix: 'main' }, { suffix: 'side' }] },
  });
  const { user, namespace } = place;
  const cluster = await attachSystem();
  await user.applies(agent('cheater-side'), ofLead(namespace, 'mine'), ofLead(namespace, 'other'));
  const mine = await Caller.of(place, 'mine');
  const other = await Caller.of(place, 'other');
  const { metadata: victim } = (await seen(place, 'other'))!;
  const pod = other.env.get('NEXUSOS_POD')!;
  const refused = async (
    what: string,
    asked: Promise<{ status: number; message: string }>,
    words: RegExp,
  ) => {
    const { status, message } = await asked;
    t.true(status === 403 || status === 422, `${what}: ${status}`);
    t.regex(message, words, what);
  };
  await refused(
    'without a parent',
    mine.calls('a', { parent: undefined, owners: [] }),
    /spec\.parentRef\.pod: found none/,
  );
  await refused(
    'of another pod',
    mine.calls('a', { parent: { name: 'other', uid: victim.uid, pod } }),
    /spec\.parentRef\.pod: found other-/,
  );
  await refused(
    'of no pod',
    mine.calls('a', { parent: { pod: 'x' } }),
    /spec\.parentRef\.pod: found x; allowed: mine-/,
  );
  await refused(
    'without an owner',
    mine.calls('a', { owners: [] }),
    /ownerReferences: found none; allowed: the Run of spec\.parentRef/,
  );
  await refused(
    'owned by another Run as well',
    mine.calls('a', {
      owners: [
        {
          apiVersion: 'nexusos.dev/v1alpha1',
          kind: 'Run',
          name: 'mine',
          uid: mine.env.get('NEXUSOS_RUN_UID'),
        },
        { apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run', name: 'other', uid: victim.uid },
      ],
    }),
    /metadata\.ownerReferences/,
  );
  await refused(
    'in another namespace',
    mine.calls('a', { namespace: 'cheater-side' }),
    /cannot create resource "runs"/,
  );
  await refused(
    'with a Secret',
    mine.calls('a', { spec: { input: { secretKeyRef: { name: 's', key: 'k' } } } }),
    /spec\.input: found secretKeyRef/,
  );
  await refused('in a session', mine.calls('a', { spec: { session: 's' } }), /session: found with parentRef/);
  const runs = `/apis/nexusos.dev/v1alpha1/namespaces/${namespace}/runs`;
  await refused('deleting', mine.sends('DELETE', `${runs}/other`), /cannot delete/);
  await refused('Secrets', mine.sends('GET', `/api/v1/namespaces/${namespace}/secrets`), /cannot list/);
  t.is((await mine.sends('GET', `${runs}/other`)).status, 200);

  const unbound = await boundToken(cluster, { namespace, account: 'nexusos-call-lead' });
  const body = {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Run',
    metadata: {
      name: 'a',
      ownerReferences: [{ apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run', name: 'other', uid: victim.uid }],
    },
    spec: { agentRef: { name: 'worker' }, parentRef: { name: 'other', uid: victim.uid, pod } },
  };
  await refused(
    'a token of no pod',
    send(cluster, { method: 'POST', path: runs, token: unbound, body }),
    /bound to no pod/,
  );

  t.is(
    (
      await mine.calls('forged', {
        parent: { name: 'other', uid: victim.uid, pod: mine.env.get('NEXUSOS_POD')! },
      })
    ).status,
    201,
  );
  await isIn(place, 'forged', 'Failed');
  t.regex(
    (await errorOf(place, 'forged')).message,
    /spec\.parentRef\.pod: found mine-.*; allowed is .*other-/,
  );
  t.is((await mine.calls('foreign', { agent: 'lead' })).status, 201);
  await isIn(place, 'foreign', 'Failed');
  t.like(await errorOf(place, 'foreign'), { code: 'policy_blocked' });
  t.regex(
    (await errorOf(place, 'foreign')).message,
    /spec\.agentRef\.name: found lead; Agent lead.*may call worker/,
  );
  for (const name of ['one', 'two']) {
    t.is((await mine.calls(name)).status, 201);
    await isIn(place, name, 'Succeeded');
  }
  t.is((await mine.calls('three')).status, 201);
  await isIn(place, 'three', 'Failed');
  t.like(await errorOf(place, 'three'), { code: 'quota_exceeded' });
  const { spec } = (await user.sees<{
    spec: { automountServiceAccountToken: boolean; serviceAccountName: string; volumes: object[] };
  }>('-n', namespace, `pod/${(await seen(place, 'one'))?.status?.child?.name}`))!;
  t.like(spec, { automountServiceAccountToken: false, serviceAccountName: 'nexusos-run' });
  t.false(JSON.stringify(spec.volumes).includes('serviceAccountToken'));
});

test('Runs that others call are held to depth and number, and end with who called them', async (t) => {
  const place = await worldOf(t, 'ended', {
    calls: { agents: ['worker', 'lead'], maxDepth: 1, maxChildren: 2 },
  });
  const { user, namespace } = place;
  await user.applies(ofLead(namespace, 'above'));
  const above = await Caller.of(place, 'above');
  for (const name of ['one', 'two', 'three']) t.is((await above.calls(name, FOREVER)).status, 201);
  const names = ['one', 'two', 'three'];
  const waiting = await eventually('two run and one waits', async () => {
    const phases = await Promise.all(names.map((name) => phase(place, name)));
    if (phases.filter((one) => one === 'Running').length !== 2) throw new Error(phases.join());
    return names[phases.indexOf('Queued')];
  });
  t.regex(await waits(place, waiting, 'TooManyChildren'), /2 Runs under way.*spec\.calls\.maxChildren/);
  const first = (await seen(place, names.find((name) => name !== waiting)!))!;
  await user.applies({
    ...run(namespace, 'deeper', {
      spec: { parentRef: { name: first.metadata.name, uid: first.metadata.uid } },
    }),
    metadata: {
      name: 'deeper',
      namespace,
      ownerReferences: [
        {
          apiVersion: 'nexusos.dev/v1alpha1',
          kind: 'Run',
          name: first.metadata.name,
          uid: first.metadata.uid,
        },
      ],
    },
  });
  await isIn(place, 'deeper', 'Failed');
  t.like(await errorOf(place, 'deeper'), { code: 'policy_blocked' });

  await user.does([
    'patch',
    'run',
    'above',
    '-n',
    namespace,
    '--type=merge',
    '-p',
    '{"spec":{"suspend":true}}',
  ]);
  for (const name of names) {
    await isIn(place, name, 'Cancelled');
    t.regex(await waits(place, name, 'ParentEnded'), /ended with the attempt that called it: Run above/);
  }
  await isIn(place, 'above', 'Queued');
  await user.does([
    'patch',
    'run',
    'above',
    '-n',
    namespace,
    '--type=merge',
    '-p',
    '{"spec":{"suspend":false}}',
  ]);
  await isIn(place, 'above', 'Running');
  const again = await Caller.of(place, 'above');
  t.not(again.env.get('NEXUSOS_POD'), above.env.get('NEXUSOS_POD'));
  const late = await above.calls('late');
  t.true(
    late.status === 201 || late.status === 401,
    'the token of a pod that is gone is worth nothing, in a while',
  );
  if (late.status === 201) await isIn(place, 'late', 'Cancelled');
  t.is((await again.calls('anew', FOREVER)).status, 201);
  await isIn(place, 'anew', 'Running');
  await user.does(['delete', 'run', 'above', '-n', namespace, '--wait=false']);
  await eventually('those below are gone with it', async () => {
    const left = await user.does(['get', 'runs', '-n', namespace, '-o', 'name']);
    if (left.trim() !== '') throw new Error(left);
    return true;
  });
});

test('Runs that call each other share what the one above all has reserved', async (t) => {
  const quotas = { runUnits: [{ window: 'month', limit: '100' }] };
  const place = await worldOf(t, 'shared', {
    calls: { agents: ['worker'], budget: { runUnits: '3' } },
    tenant: { quotas },
  });
  const { user, namespace } = place;
  await user.applies(ofLead(namespace, 'above', { estimate: { runUnits: '5' } }));
  const above = await Caller.of(place, 'above');
  t.is((await above.calls('one', { ...FOREVER, spec: { estimate: { runUnits: '2' } } })).status, 201);
  await isIn(place, 'one', 'Running');
  t.is((await above.calls('two', { ...FOREVER, spec: { estimate: { runUnits: '1.5' } } })).status, 201);
  t.regex(await waits(place, 'two', 'TreeBudgetReserved'), /1\.5 run units, and 1 are left/);
  t.is((await above.calls('large', { spec: { estimate: { runUnits: '3.5' } } })).status, 201);
  await isIn(place, 'large', 'Failed');
  t.regex(
    (await errorOf(place, 'large')).message,
    /would reserve 3\.5 run units; 1 are left of what Run above/,
  );
  const usage = await user.sees<{ status: { usage: { name: string; reserved: string }[] } }>('tenant/shared');
  await eventually('the tenant tells what is reserved', async () => {
    const now = await user.sees<typeof usage>('tenant/shared');
    const found = now?.status.usage.find(({ name }) => name === 'runUnits/month')?.reserved;
    if (found !== '8') throw new Error(String(found));
    return true;
  });
  await user.does(['patch', 'run', 'one', '-n', namespace, '--type=merge', '-p', '{"spec":{"cancel":true}}']);
  await isIn(place, 'two', 'Running');
  const used = (await seen(place, 'one'))?.status?.usage?.total?.runUnits;
  const { tree } = await eventually('it tells what was used', async () => {
    const status = (await seen(place, 'above'))?.status;
    return status?.tree?.cancelled === 1 && status.tree.active === 1 ? status : undefined;
  });
  t.like(tree?.runUnits, { limit: '3', used, reserved: '1.5' });
});

test('places are left for those whom Runs may call, and a Run that could have none says so', async (t) => {
  const place = await worldOf(t, 'places', {
    calls: { agents: ['worker'] },
    tenant: { quotas: { runs: { maxConcurrent: 2 } } },
  });
  const { user, namespace } = place;
  await user.applies(lead(namespace, { agents: ['lead', 'worker'], maxDepth: 2 }, 'deep'));
  await user.awaitsReady('-n', namespace, 'agent/deep');
  await user.applies(run(namespace, 'never', { spec: { agentRef: { name: 'deep' } } }));
  t.regex(await waits(place, 'never', 'ConcurrencyExceeded'), /takes 3 places at one time; the tenant has 2/);
  await user.applies(ofLead(namespace, 'above'));
  const above = await Caller.of(place, 'above');
  await user.applies(ofLead(namespace, 'behind'));
  t.regex(
    await waits(place, 'behind', 'ConcurrencyExceeded'),
    /as many places must be free beside its own; free: 1 /,
  );
  await user.applies(run(namespace, 'small'));
  t.regex(await waits(place, 'small', 'ConcurrencyExceeded'), /ahead waits for places/);
  t.is((await above.calls('below')).status, 201);
  await isIn(place, 'below', 'Succeeded');
  t.is(await phase(place, 'small'), 'Queued');
});
