// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { type ApiAnswer, type ApiUser, apiUser } from '../api-user.ts';
import { agent, phase, run, waits, type World, world } from '../run-world.ts';
import { User } from '../user.ts';

interface Place extends World {
  /** Creates and changes Runs, by the role operator. */
  readonly maker: ApiUser;
  readonly viewer: ApiUser;
}

interface Told {
  readonly status?: {
    readonly attempt?: number;
    readonly question?: { readonly number: number; readonly prompt: string; readonly answeredBy?: string };
    readonly retries?: { readonly spent: number };
    readonly usage?: {
      readonly attempts?: readonly object[];
      readonly reported?: { readonly toolCalls: number };
    };
    readonly error?: { readonly code: string };
    readonly child?: { readonly name: string };
    readonly result?: { readonly output?: string };
  };
}

const test = anyTest as TestFn<Place>;
const SAYS = 'kwok.nexusos.dev/termination-message';
const NAMESPACE = 'inquirer-main';
const PATH = `/apis/nexusos.dev/v1alpha1/namespaces/${NAMESPACE}/runs`;
const OWNERS = [
  { kind: 'User', name: 'inquirer-admin', role: 'admin' },
  { kind: 'User', name: 'inquirer-maker', role: 'operator' },
  { kind: 'User', name: 'inquirer-viewer', role: 'viewer' },
];
/** What is torn down after a test elsewhere is torn down here after the last of them. */
const ENDS: (() => unknown)[] = [];
const HOOK = { teardown: (end: () => unknown) => ENDS.push(end) } as unknown as ExecutionContext;

test.before(async (t) => {
  const cluster = await attachSystem();
  const quotas = { objects: { configmaps: 50 }, runs: { maxConcurrent: 4 } };
  const place = await world(HOOK, 'inquirer', { tenant: { owners: OWNERS, quotas } });
  await place.user.applies(
    named('impatient', { questions: { timeoutSeconds: 1 } }),
    named('silent', { questions: { limit: 0 } }),
  );
  const maker = await apiUser(cluster, { user: 'inquirer-maker' });
  const viewer = await apiUser(cluster, { user: 'inquirer-viewer' });
  t.context = { ...place, maker, viewer };
  await eventually('the owners get in', async () => {
    const made = await maker.send('POST', `${PATH}?dryRun=All`, run(NAMESPACE, 'probe'));
    return made.status === 201 && (await viewer.send('GET', PATH)).status === 200;
  });
});
test.after.always(async ({ context: { maker, viewer } }) => {
  await Promise.all(ENDS.map((end) => end()));
  await Promise.all([maker, viewer].map((one) => one?.close()));
});

function named(name: string, spec: object): object {
  const one = agent(NAMESPACE, spec);
  return { ...one, metadata: { ...one.metadata, name } };
}

function question(prompt: string, more: object = {}): string {
  return JSON.stringify({ inputRequired: { prompt, ...more }, usage: { toolCalls: 2 } });
}

/** A Run whose container asks that at its end. */
function asks(name: string, says = question('Which account?'), spec: object = {}): object {
  return run(NAMESPACE, name, { annotations: { [SAYS]: says }, spec });
}

function answer(user: ApiUser, name: string, answers: object): Promise<ApiAnswer> {
  return user.send('PATCH', `${PATH}/${name}`, { spec: { answers } });
}

/** What the container of the next attempt says. */
function willSay(user: ApiUser, name: string, words: string): Promise<ApiAnswer> {
  return user.send('PATCH', `${PATH}/${name}`, { metadata: { annotations: { [SAYS]: words } } });
}

function read({ user, namespace }: World, name: string): Promise<Told | undefined> {
  return user.sees<Told>('-n', namespace, `run/${name}`);
}

function ends(place: World, name: string, how: string): Promise<unknown> {
  return eventually(`${name} is ${how}`, async () => (await phase(place, name)) === how);
}

function refused(t: ExecutionContext<Place>, { status, message }: ApiAnswer, words: RegExp): void {
  t.is(status, 403, message);
  t.regex(message, /policy_blocked: .+: found .+; allowed: .+; ask /s);
  t.regex(message, words);
}

async function holdsNothing({ user }: World, name: string): Promise<boolean> {
  const ledger = await user.sees<{
    readonly status?: { readonly reservations?: readonly { readonly name: string }[] };
  }>('quotaledger/inquirer');
  return ledger?.status?.reservations?.some((one) => one.name === name) !== true;
}

test('a container asks, holds nothing while a person thinks, and goes on with the answer', async (t) => {
  const place = t.context;
  const { maker, user, namespace } = place;
  const said = question('Which account?', { state: { step: 3 }, schema: { enum: ['acme', 'other'] } });
  t.is((await maker.send('POST', PATH, asks('pays', said, { retries: { limit: 2 } }))).status, 201);
  const words = await waits(place, 'pays', 'InputRequired');
  t.regex(
    words,
    /^its container asks \(question 1\): "Which account\?"\. To answer: kubectl patch run pays /,
  );
  t.is(await phase(place, 'pays'), 'Queued');
  t.like(await user.condition('InputRequired', '-n', namespace, 'run/pays'), { status: 'True' });
  await eventually('its place is given back', () => holdsNothing(place, 'pays'));
  t.is((await willSay(maker, 'pays', '{"output":"paid"}')).status, 200);
  const done = await answer(maker, 'pays', { 1: { text: 'acme' } });
  t.is(done.status, 200, done.message);
  await ends(place, 'pays', 'Succeeded');
  const { status } = (await read(place, 'pays')) ?? {};
  t.like(status, {
    attempt: 2,
    result: { output: 'paid' },
    question: { number: 1, answeredBy: 'inquirer-maker' },
    retries: { spent: 0 },
    usage: { attempts: [{ attempt: 1 }, { attempt: 2 }], reported: { toolCalls: 2 } },
  });
  const files = await user.sees<{ data?: Readonly<Record<string, string>> }>(
    '-n',
    namespace,
    `configmap/${status?.child?.name}`,
  );
  t.deepEqual(files?.data, {
    answer: 'acme',
    'answers.json': '{"1":{"text":"acme","by":"inquirer-maker"}}',
    state: '{"step":3}',
  });
  const path = 'jsonpath={.spec.containers[0].env[*].name}';
  const variables = await user.does(['get', `pod/${status?.child?.name}`, '-n', namespace, '-o', path]);
  for (const name of ['NEXUSOS_ANSWER_FILE', 'NEXUSOS_ANSWERS_FILE', 'NEXUSOS_STATE_FILE']) {
    t.true(variables.split(' ').includes(name), `${name} in: ${variables}`);
  }
});

test('the command of the message is the one that works, question after question', async (t) => {
  const place = t.context;
  const cluster = await attachSystem();
  const maker = new User(cluster, await cluster.kubeconfigFor({ user: 'inquirer-maker' }));
  await maker.does(['create', '-f', '-'], JSON.stringify(asks('chats')));
  for (const number of [1, 2]) {
    const words = await eventually(`question ${number} is asked`, async () => {
      const message = await waits(place, 'chats', 'InputRequired');
      return message.includes(`(question ${number})`) ? message : undefined;
    });
    const [, args = '', patch = ''] = /kubectl (patch .+ --type merge -p) '(.+?)'/.exec(words) ?? [];
    if (number === 2) await willSay(place.maker, 'chats', 'done');
    await maker.does([...args.split(' '), patch]);
  }
  await ends(place, 'chats', 'Succeeded');
  t.is((await read(place, 'chats'))?.status?.attempt, 3);
});

test('only the question that is asked is answered, once, and by who has the right, in his own name', async (t) => {
  const place = t.context;
  const { maker, viewer } = place;
  const preset = await maker.send('POST', PATH, asks('preset', 'x', { answers: { 1: { text: 'y' } } }));
  refused(
    t,
    preset,
    /spec\.answers: found an answer to question 1; allowed: an answer while the Run asks something/,
  );
  await maker.send('POST', PATH, asks('strict'));
  await waits(place, 'strict', 'InputRequired');
  refused(
    t,
    await answer(maker, 'strict', { 2: { text: 'too early' } }),
    /found an answer to question 2; allowed: an answer to question 1, which it asks now/,
  );
  refused(
    t,
    await answer(maker, 'strict', { 1: { text: 'x', by: 'inquirer-admin' } }),
    /spec\.answers\[\*\]\.by: found inquirer-admin; allowed: inquirer-maker/,
  );
  t.is((await answer(viewer, 'strict', { 1: { text: 'x' } })).status, 403);
  const large = await answer(maker, 'strict', { 1: { text: 'x'.repeat(4097) } });
  t.is(large.status, 422, large.message);
  t.is((await answer(maker, 'strict', { first: { text: 'x' } })).status, 422);
  t.is((await answer(maker, 'strict', { 1: { text: 'x' } })).status, 200);
  const changed = await answer(maker, 'strict', { 1: { text: 'z' } });
  t.is(changed.status, 422, changed.message);
  t.regex(changed.message, /an answer cannot be changed or taken back/);
  t.is((await maker.send('PATCH', `${PATH}/strict`, { spec: { answers: null } })).status, 422);
  await eventually(
    'it asks again',
    async () => (await read(place, 'strict'))?.status?.question?.number === 2,
  );
  refused(
    t,
    await answer(maker, 'strict', { 3: { text: 'x' } }),
    /an answer to question 2, which it asks now/,
  );
  await maker.send('PATCH', `${PATH}/strict`, { spec: { cancel: true } });
  await ends(place, 'strict', 'Cancelled');
  refused(t, await answer(maker, 'strict', { 2: { text: 'late' } }), /this one does not/);
});

test('what nobody answers in time fails, and so does who asks more than its Agent allows', async (t) => {
  const place = t.context;
  const { maker } = place;
  await maker.send('POST', PATH, asks('forgotten', undefined, { agentRef: { name: 'impatient' } }));
  await ends(place, 'forgotten', 'Failed');
  t.regex(await waits(place, 'forgotten', 'InputTimedOut'), /^nobody answered question 1 until /);
  t.is((await read(place, 'forgotten'))?.status?.error?.code, 'timeout');
  await maker.send('POST', PATH, asks('talks', undefined, { agentRef: { name: 'silent' } }));
  await ends(place, 'talks', 'Failed');
  t.regex(await waits(place, 'talks', 'TooManyQuestions'), /more than 0 questions/);
  t.is((await read(place, 'talks'))?.status?.error?.code, 'quota_exceeded');
});

test('while a person thinks, the session waits, and so does the same Run created again', async (t) => {
  const place = t.context;
  const { maker } = place;
  const spec = { session: 'talk-1', idempotencyKey: 'order-1' };
  await maker.send('POST', PATH, asks('first', undefined, spec));
  await waits(place, 'first', 'InputRequired');
  await maker.send('POST', PATH, run(NAMESPACE, 'next', { spec: { session: 'talk-1' } }));
  await maker.send('POST', PATH, run(NAMESPACE, 'again', { spec }));
  t.regex(await waits(place, 'next', 'SessionBusy'), /Run first of the same session goes first/);
  await waits(place, 'again', 'Duplicate');
  await willSay(maker, 'first', '{"output":"ok"}');
  t.is((await answer(maker, 'first', { 1: { text: 'acme' } })).status, 200);
  for (const name of ['first', 'next', 'again']) await ends(place, name, 'Succeeded');
  t.like((await read(place, 'again'))?.status, { result: { output: 'ok' }, attempt: undefined });
});

test('a Run that waits for an answer can be suspended and answered meanwhile; a retry has the answer, too', async (t) => {
  const place = t.context;
  const { maker, user } = place;
  const retries = { limit: 1, backoffSeconds: 0 };
  await maker.send('POST', PATH, asks('paused', question('Which?', { state: 'kept' }), { retries }));
  await waits(place, 'paused', 'InputRequired');
  await maker.send('PATCH', `${PATH}/paused`, { spec: { suspend: true } });
  await waits(place, 'paused', 'Suspended');
  const outcome = { metadata: { annotations: { 'kwok.nexusos.dev/outcome': 'exit-code', [SAYS]: 'oh' } } };
  await maker.send('PATCH', `${PATH}/paused`, outcome);
  t.is((await answer(maker, 'paused', { 1: { text: 'this' } })).status, 200);
  await eventually('the answer is seen', async () => {
    return (await read(place, 'paused'))?.status?.question?.answeredBy === 'inquirer-maker';
  });
  t.is(await phase(place, 'paused'), 'Queued');
  await maker.send('PATCH', `${PATH}/paused`, { spec: { suspend: false } });
  await ends(place, 'paused', 'Failed');
  const { status } = (await read(place, 'paused')) ?? {};
  t.like(status, { attempt: 3, retries: { spent: 1 } });
  const path = 'jsonpath={.data.answer} {.data.state}';
  const data = await user.does(['get', `configmap/${status?.child?.name}`, '-n', NAMESPACE, '-o', path]);
  t.is(data, 'this kept');
});
