// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { type ApiAnswer, type ApiUser, apiUser } from '../api-user.ts';
import { Caller } from '../caller.ts';
import { agent, FOREVER, phase, run, type RunChoice, waits, type World, world } from '../run-world.ts';
import { User } from '../user.ts';

interface Place extends World {
  /** Admins of the tenant. */
  readonly boss: ApiUser;
  readonly deputy: ApiUser;
  /** Creates Runs, by the role operator. */
  readonly maker: ApiUser;
}

interface Told {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly approval?: { readonly by?: string } };
  readonly status?: {
    readonly approval?: Readonly<Record<string, string>>;
    readonly revision?: { readonly name: string; readonly number: number };
    readonly error?: { readonly code: string; readonly retryable: boolean };
    readonly queue?: { readonly position?: number };
  };
}

const test = anyTest as TestFn<Place>;
const CREATED_BY = 'nexusos.dev/created-by';
const OWNERS = [
  { kind: 'User', name: 'signed-boss', role: 'admin' },
  { kind: 'User', name: 'signed-deputy', role: 'admin' },
  { kind: 'User', name: 'signed-maker', role: 'operator' },
];

/** What is torn down after a test elsewhere is torn down here after the last of them. */
const ENDS: (() => unknown)[] = [];
const HOOK = { teardown: (end: () => unknown) => ENDS.push(end) } as unknown as ExecutionContext;

test.before(async (t) => {
  const cluster = await attachSystem();
  const place = await world(HOOK, 'signed', {
    tenant: { owners: OWNERS, quotas: { runs: { maxConcurrent: 6 } } },
    worker: { approval: {} },
  });
  await place.user.applies({ ...named(place, 'lenient', { approval: { approvers: 'Anyone' } }) });
  await place.user.applies(named(place, 'hasty', { approval: { timeoutSeconds: 1 } }));
  await place.user.applies(
    named(place, 'trusting', { approval: { timeoutSeconds: 1, onTimeout: 'Approve' } }),
  );
  const [boss, deputy, maker] = await Promise.all(
    ['signed-boss', 'signed-deputy', 'signed-maker'].map((user) => apiUser(cluster, { user })),
  );
  t.context = { ...place, boss: boss!, deputy: deputy!, maker: maker! };
  await eventually('the owners get in', async () => {
    const answers = await Promise.all(
      [boss!, deputy!, maker!].map((one) =>
        one.send('POST', `${PATH}?dryRun=All`, run('signed-main', 'probe')),
      ),
    );
    return answers.every(({ status }) => status === 201);
  });
});
test.after.always(async ({ context: { boss, deputy, maker } }) => {
  await Promise.all(ENDS.map((end) => end()));
  await Promise.all([boss, deputy, maker].map((one) => one?.close()));
});

function named({ namespace }: World, name: string, spec: object): object {
  const one = agent(namespace, spec);
  return { ...one, metadata: { ...one.metadata, name } };
}

/** Runs of the tenant that all scenarios here are about. */
const PATH = '/apis/nexusos.dev/v1alpha1/namespaces/signed-main/runs';

function create(user: ApiUser, name: string, choice: RunChoice = {}): Promise<ApiAnswer> {
  return user.send('POST', PATH, run('signed-main', name, choice));
}

function decide(user: ApiUser, name: string, approval: object): Promise<ApiAnswer> {
  return user.send('PATCH', `${PATH}/${name}`, { spec: { approval } });
}

function read({ user, namespace }: World, name: string): Promise<Told | undefined> {
  return user.sees<Told>('-n', namespace, `run/${name}`);
}

/** Refused by the guardrail, which names the field and what would pass. */
function refused(t: ExecutionContext<Place>, { status, message }: ApiAnswer, words: RegExp): void {
  t.is(status, 403, message);
  t.regex(message, /policy_blocked: .+: found .+; allowed: .+; ask /s);
  t.regex(message, words);
}

function ends(place: World, name: string, how: string): Promise<unknown> {
  return eventually(`${name} is ${how}`, async () => (await phase(place, name)) === how);
}

test('a Run waits for approval, takes nothing meanwhile, and starts when another admin approves it', async (t) => {
  const place = t.context;
  const { boss, maker, user, namespace } = place;
  t.is((await create(maker, 'asks')).status, 201);
  const words = await waits(place, 'asks', 'ApprovalRequired');
  t.regex(words, /not signed-maker, who created it: kubectl patch run asks -n signed-main --type merge/);
  t.is((await read(place, 'asks'))?.status?.queue?.position, undefined);
  const ledger = await user.sees<{ status?: { reservations?: readonly { name: string }[] } }>(
    'quotaledger/signed',
  );
  t.false(ledger?.status?.reservations?.some(({ name }) => name === 'asks') === true);
  const pods = await user.does(['get', 'pods', '-n', namespace, '-l', 'nexusos.dev/run=asks', '-o', 'name']);
  t.is(pods, '');
  const condition = await user.condition('Approved', '-n', namespace, 'run/asks');
  t.like(condition, { status: 'False', reason: 'ApprovalRequired' });
  const answer = await decide(boss, 'asks', { decision: 'Approved', reason: 'looks good' });
  t.is(answer.status, 200, answer.message);
  await ends(place, 'asks', 'Succeeded');
  t.like((await read(place, 'asks'))?.status?.approval, {
    outcome: 'Approved',
    by: 'signed-boss',
    createdBy: 'signed-maker',
    reason: 'looks good',
  });
  t.like(await user.condition('Approved', '-n', namespace, 'run/asks'), {
    status: 'True',
    reason: 'Approved',
    message: 'approved by signed-boss: looks good',
  });
  const told = await eventually('Events tell of it', async () => {
    const events = await user.does([
      'get',
      'events',
      '-n',
      namespace,
      '--field-selector=involvedObject.name=asks',
    ]);
    return events.includes('approved by signed-boss') && events.includes('ApprovalRequired')
      ? events
      : undefined;
  });
  t.true(told.length > 0);
});

test('the command of the message is the one that works', async (t) => {
  const place = t.context;
  t.is((await create(place.maker, 'by-hand')).status, 201);
  const words = await waits(place, 'by-hand', 'ApprovalRequired');
  const [, args = '', patch = ''] = /kubectl (patch .+ --type merge -p) '(.+?)'/.exec(words) ?? [];
  const cluster = await attachSystem();
  const deputy = new User(cluster, await cluster.kubeconfigFor({ user: 'signed-deputy' }));
  const canI = ['auth', 'can-i', 'approve', 'runs.nexusos.dev', '-n', place.namespace];
  t.is((await deputy.does(canI)).trim(), 'yes');
  await deputy.does([...args.split(' '), patch]);
  await ends(place, 'by-hand', 'Succeeded');
  t.is((await read(place, 'by-hand'))?.status?.approval?.['by'], 'signed-deputy');
});

test('a rejected Run fails as forbidden and starts nothing', async (t) => {
  const place = t.context;
  await create(place.maker, 'unwanted');
  await waits(place, 'unwanted', 'ApprovalRequired');
  await decide(place.boss, 'unwanted', { decision: 'Rejected', reason: 'not on a Friday' });
  t.is(await waits(place, 'unwanted', 'ApprovalRejected'), 'rejected by signed-boss: not on a Friday');
  const found = await read(place, 'unwanted');
  t.like(found?.status?.error, { code: 'forbidden', retryable: false });
  t.is(await phase(place, 'unwanted'), 'Failed');
});

test('who created a Run cannot approve it, unless its Agent says that anyone can', async (t) => {
  const place = t.context;
  const { boss } = place;
  await create(boss, 'own');
  await waits(place, 'own', 'ApprovalRequired');
  refused(
    t,
    await decide(boss, 'own', { decision: 'Approved' }),
    /spec\.approval\.decision: found Approved by signed-boss, who created the Run/,
  );
  t.is((await decide(boss, 'own', { decision: 'Rejected' })).status, 200);
  await ends(place, 'own', 'Failed');
  await create(boss, 'own-lenient', { spec: { agentRef: { name: 'lenient' } } });
  await waits(place, 'own-lenient', 'ApprovalRequired');
  const answer = await decide(boss, 'own-lenient', { decision: 'Approved' });
  t.is(answer.status, 200, answer.message);
  await ends(place, 'own-lenient', 'Succeeded');
});

test("who only may create and change Runs approves nothing, in nobody else's name, and forges no status", async (t) => {
  const place = t.context;
  const { maker, boss } = place;
  await create(boss, 'guarded');
  await waits(place, 'guarded', 'ApprovalRequired');
  const approved = { decision: 'Approved' };
  refused(
    t,
    await decide(maker, 'guarded', approved),
    /found Approved by signed-maker; allowed: decisions of users with the verb approve/,
  );
  refused(
    t,
    await decide(place.deputy, 'guarded', { ...approved, by: 'signed-boss' }),
    /spec\.approval\.by: found signed-boss; allowed: signed-deputy/,
  );
  const forged = { status: { approval: { outcome: 'Approved', by: 'signed-boss' } } };
  t.is((await maker.send('PATCH', `${PATH}/guarded/status`, forged)).status, 403);
  t.is((await boss.send('PATCH', `${PATH}/guarded/status`, forged)).status, 403);
  const spec = { approval: { ...approved, by: 'signed-boss' } };
  refused(t, await create(boss, 'preapproved', { spec }), /spec\.approval: found Approved/);
  t.is(await phase(place, 'guarded'), 'Queued');
});

test('nobody passes for the creator, nor changes who that was', async (t) => {
  const place = t.context;
  const { boss, maker } = place;
  const forged = { annotations: { [CREATED_BY]: 'signed-maker' } };
  refused(t, await create(boss, 'disguised', forged), /created-by.+found signed-maker; allowed: signed-boss/);
  t.is((await create(boss, 'mine', { annotations: { [CREATED_BY]: 'signed-boss' } })).status, 201);
  await create(maker, 'theirs');
  for (const by of ['signed-boss', null]) {
    const metadata = { annotations: { [CREATED_BY]: by } };
    const answer = await maker.send('PATCH', `${PATH}/theirs`, { metadata });
    // Taken away, it is put back by the API server; replaced, it is refused.
    if (by === null) t.is(answer.status, 200, answer.message);
    else refused(t, answer, /found signed-boss; allowed: signed-maker/);
    t.is((await read(place, 'theirs'))?.metadata.annotations?.[CREATED_BY], 'signed-maker');
  }
});

/** Waits until the approval that a Run asks for tells who is behind it. */
function behind(place: World, name: string): Promise<unknown> {
  return eventually(`${name} tells who is behind it`, async () => {
    const { approval } = (await place.user.sees<Behind>('-n', place.namespace, `run/${name}`))?.status ?? {};
    return approval?.onBehalfOf;
  });
}

interface Behind {
  readonly status?: { readonly approval?: { readonly onBehalfOf?: readonly string[] } };
}

test('who has a container create a Run cannot approve it either', async (t) => {
  const place = t.context;
  const { boss, deputy } = place;
  await place.user.applies(named(place, 'lead', { calls: { agents: ['worker'] } }));
  await place.user.awaitsReady('-n', place.namespace, 'agent/lead');
  await create(boss, 'calling', { ...FOREVER, spec: { agentRef: { name: 'lead' } } });
  const container = await Caller.of(place, 'calling');
  t.is((await container.calls('called', FOREVER)).status, 201);
  t.deepEqual(await behind(place, 'called'), ['signed-boss']);
  refused(
    t,
    await decide(boss, 'called', { decision: 'Approved' }),
    /found Approved by signed-boss, who is behind what created the Run/,
  );
  const answer = await decide(deputy, 'called', { decision: 'Approved' });
  t.is(answer.status, 200, answer.message);
  await ends(place, 'called', 'Running');
});

test('nor can who wrote what a schedule starts, which nobody else passes for', async (t) => {
  const place = t.context;
  const { boss, deputy, user, namespace } = { ...place, namespace: 'signed-main' };
  const path = `/apis/nexusos.dev/v1alpha1/namespaces/${namespace}/agents`;
  // Falls due while no test runs, and has fallen due in every year before.
  const schedule = { cron: '0 0 1 1 *', runTemplate: { spec: { priority: 1 } } };
  const agentOf = (annotations: object) => {
    const made = named(place, 'yearly', { approval: {}, schedule }) as { readonly metadata: object };
    return { ...made, metadata: { ...made.metadata, annotations } };
  };
  const AUTHOR = 'nexusos.dev/schedule-author';
  refused(
    t,
    await boss.send('POST', path, agentOf({ [AUTHOR]: 'signed-deputy' })),
    /schedule-author.+found signed-deputy; allowed: signed-boss, or none/,
  );
  t.is((await boss.send('POST', path, agentOf({}))).status, 201);
  const authorOf = async () => {
    const found = await user.sees<Told>('-n', namespace, 'agent/yearly');
    return found?.metadata.annotations?.[AUTHOR];
  };
  t.is(await authorOf(), 'signed-boss');
  const change = (spec: object, annotations = {}) =>
    deputy.send('PATCH', `${path}/yearly`, { spec, metadata: { annotations } });
  t.is((await change({ schedule: { suspend: true } })).status, 200);
  t.is((await change({ schedule: { suspend: false } }, { [AUTHOR]: null })).status, 200);
  t.is(await authorOf(), 'signed-boss', 'to pause a schedule, or to forget its author, is not to write it');
  refused(t, await change({}, { [AUTHOR]: 'signed-deputy' }), /found signed-deputy; allowed: signed-boss/);
  await user.awaitsReady('-n', namespace, 'agent/yearly');
  const since = `${new Date().getUTCFullYear() - 3}-06-01T00:00:00Z`;
  const late = { since, lastScheduleTime: null, lastMissedTime: null, nextScheduleTime: null };
  const patch = JSON.stringify({ status: { schedule: late } });
  const args = [
    'patch',
    'agent/yearly',
    '-n',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    patch,
  ];
  await user.does(args);
  const label = ['runs', '-n', namespace, '-l', 'nexusos.dev/agent=yearly'];
  const started = await eventually('its Run is there', async () => {
    const list = await user.sees<{ readonly items: readonly { metadata: { name: string } }[] }>(...label);
    return list?.items[0]?.metadata.name;
  });
  t.deepEqual(await behind(place, started), ['signed-boss']);
  refused(
    t,
    await decide(boss, started, { decision: 'Approved' }),
    /signed-boss, who is behind what created/,
  );
  t.is((await decide(deputy, started, { decision: 'Approved' })).status, 200);
  t.is((await change({ schedule: { runTemplate: { spec: { priority: 2 } } } })).status, 200);
  t.is(await authorOf(), 'signed-deputy', 'who says something else is the author of that');
});

test('a decision stands: it is not changed, taken back, or written where nothing is asked', async (t) => {
  const place = t.context;
  const { boss, deputy } = place;
  await create(place.maker, 'settled', FOREVER);
  await waits(place, 'settled', 'ApprovalRequired');
  t.is((await decide(boss, 'settled', { decision: 'Approved' })).status, 200);
  await ends(place, 'settled', 'Running');
  for (const change of [{ decision: 'Rejected' }, { by: 'signed-deputy' }, { reason: 'late' }]) {
    const answer = await decide(deputy, 'settled', change);
    t.is(answer.status, 422, answer.message);
    t.regex(answer.message, /a decision cannot be changed/);
  }
  t.is((await deputy.send('PATCH', `${PATH}/settled`, { spec: { approval: null } })).status, 422);
  await place.user.applies(named(place, 'free', {}));
  await create(place.maker, 'unasked', { ...FOREVER, spec: { agentRef: { name: 'free' } } });
  await ends(place, 'unasked', 'Running');
  refused(t, await decide(boss, 'unasked', { decision: 'Rejected' }), /this one does not/);
});

test('what nobody decides on in time is rejected, or starts, as its Agent says', async (t) => {
  const place = t.context;
  await create(place.maker, 'forgotten', { spec: { agentRef: { name: 'hasty' } } });
  await ends(place, 'forgotten', 'Failed');
  t.regex(await waits(place, 'forgotten', 'ApprovalTimedOut'), /^nobody decided on it until /);
  t.like((await read(place, 'forgotten'))?.status?.error, { code: 'timeout', retryable: true });
  await create(place.maker, 'let-go', { spec: { agentRef: { name: 'trusting' } } });
  await ends(place, 'let-go', 'Succeeded');
  const condition = await place.user.condition('Approved', '-n', place.namespace, 'run/let-go');
  t.like(condition, { status: 'True', reason: 'ApprovalTimedOut' });
});

test('what is approved is what starts, whatever becomes of the Agent meanwhile', async (t) => {
  const place = t.context;
  const { user, namespace } = place;
  await user.applies(named(place, 'changing', { approval: {} }));
  await user.awaitsReady('-n', namespace, 'agent/changing');
  await create(place.maker, 'bound', { spec: { agentRef: { name: 'changing' } } });
  await waits(place, 'bound', 'ApprovalRequired');
  const container = { image: 'registry.example/worker:2' };
  await user.applies(named(place, 'changing', { approval: {}, container }));
  await eventually('another revision is active', async () => {
    const found = await user.sees<{ status?: { activeRevision?: { number: number } } }>(
      '-n',
      namespace,
      'agent/changing',
    );
    return found?.status?.activeRevision?.number === 2;
  });
  await decide(place.boss, 'bound', { decision: 'Approved' });
  await ends(place, 'bound', 'Succeeded');
  t.is((await read(place, 'bound'))?.status?.revision?.number, 1);
  const label = ['-l', 'nexusos.dev/run=bound', '-o', 'jsonpath={.items[*].spec.containers[*].image}'];
  t.is(await user.does(['get', 'pods', '-n', namespace, ...label]), 'registry.example/worker:1');
});

test('a Run that waits for approval can be suspended, approved and cancelled; a dry run asks nobody', async (t) => {
  const place = t.context;
  const { maker, boss } = place;
  const change = (name: string, spec: object) => maker.send('PATCH', `${PATH}/${name}`, { spec });
  await create(maker, 'paused', { spec: { suspend: true } });
  await waits(place, 'paused', 'Suspended');
  await change('paused', { suspend: false });
  await waits(place, 'paused', 'ApprovalRequired');
  await change('paused', { suspend: true });
  await waits(place, 'paused', 'Suspended');
  t.is((await decide(boss, 'paused', { decision: 'Approved' })).status, 200);
  await eventually('the approval is seen', async () => {
    return (await read(place, 'paused'))?.status?.approval?.['outcome'] === 'Approved';
  });
  t.is(await phase(place, 'paused'), 'Queued');
  await change('paused', { suspend: false });
  await ends(place, 'paused', 'Succeeded');
  await create(maker, 'withdrawn');
  await waits(place, 'withdrawn', 'ApprovalRequired');
  await change('withdrawn', { cancel: true });
  await ends(place, 'withdrawn', 'Cancelled');
  refused(t, await decide(boss, 'withdrawn', { decision: 'Rejected' }), /this one does not/);
  await create(maker, 'would', { spec: { dryRun: true } });
  t.regex(await waits(place, 'would', 'DryRun'), /it would be Queued \(ApprovalRequired\)/);
});
