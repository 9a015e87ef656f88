// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { run } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

const test = anyTest as TestFn<{ readonly admin: User }>;
const NAMESPACE = 'unmoved-main';

test.before(async (t) => {
  const admin = new User(await attachSystem());
  await admin.applies(tenantManifest('unmoved'));
  await admin.awaitsReady('tenant/unmoved');
  t.context = { admin };
});

/** What is created, what is changed of it, and what the API server says of the change; undefined where it may be changed. */
interface Case {
  readonly created?: object;
  readonly changed: object;
  readonly said?: string;
}

function fixed(field: string, created: unknown, changed: unknown): Case {
  const said = `spec: Invalid value: ${field} cannot be changed: create a new Run`;
  return { created: { [field]: created }, changed: { [field]: changed }, said };
}

function kept(field: string, changed: unknown): Case {
  return { ...fixed(field, undefined, changed), created: {} };
}

const CANCELLED = 'spec: Invalid value: a cancelled Run cannot be taken up again';
const PARENT = { name: 'p', uid: 'u', attempt: 1, pod: 'p-1' };

const CASES: Readonly<Record<string, Case>> = {
  revision: fixed('revision', 'worker-1', 'worker-2'),
  'a revision that is left out': fixed('revision', 'worker-1', null),
  'a revision that was left out': { ...fixed('revision', 'x', 'worker-1'), created: {} },
  parentRef: { ...fixed('parentRef', PARENT, PARENT), created: {} },
  callsBudget: fixed('callsBudget', { runUnits: '1' }, { runUnits: '2' }),
  input: fixed('input', { inline: 'a' }, { inline: 'b' }),
  parameters: fixed('parameters', { A: 'a' }, { A: 'b' }),
  'a parameter more': fixed('parameters', { A: 'a' }, { B: 'b' }),
  timeoutSeconds: fixed('timeoutSeconds', 10, 20),
  maxSteps: fixed('maxSteps', 10, 20),
  tools: fixed('tools', ['search'], ['search', 'shell']),
  'tools that are left out': fixed('tools', ['search'], null),
  retries: fixed('retries', { limit: 1 }, { limit: 2 }),
  estimate: fixed('estimate', { tokens: 1 }, { tokens: 2 }),
  startingDeadlineSeconds: fixed('startingDeadlineSeconds', 3000, 3001),
  session: fixed('session', 'a', 'b'),
  idempotencyKey: fixed('idempotencyKey', 'a', 'b'),
  idempotencyKeySeconds: {
    ...fixed('idempotencyKeySeconds', 60, 61),
    created: { idempotencyKey: 'k', idempotencyKeySeconds: 60 },
  },
  agentRef: kept('agentRef', { name: 'another' }),
  priority: kept('priority', 1),
  dryRun: kept('dryRun', true),
  'a priority that is left out': fixed('priority', 1, null),
  'a priority of 0 that is left out': { created: { priority: 0 }, changed: { priority: null } },
  'a priority of 0 that was left out': { changed: { priority: 0 } },
  'a dryRun that is left out': fixed('dryRun', true, null),
  cancel: { created: { cancel: true }, changed: { cancel: false }, said: CANCELLED },
  'a cancel that is left out': { created: { cancel: true }, changed: { cancel: null }, said: CANCELLED },
  'cancel, once': { changed: { cancel: true } },
  'suspend, and back': { created: { suspend: true }, changed: { suspend: false } },
  ttlSecondsAfterFinished: { changed: { ttlSecondsAfterFinished: 5 } },
};

for (const [number, [title, { created = {}, changed, said }]] of Object.entries(CASES).entries()) {
  test(`${title} of a Run ${said === undefined ? 'may be changed' : 'stays as it was created'}`, async (t) => {
    const { admin } = t.context;
    const name = `case-${number}`;
    await admin.does(['create', '-f', '-'], JSON.stringify(run(NAMESPACE, name, { spec: created })));
    const patch = `--patch=${JSON.stringify({ spec: changed })}`;
    const answer = await admin.tries(['patch', '-n', NAMESPACE, `run/${name}`, '--type=merge', patch]);
    t.is(answer.ok, said === undefined, answer.text);
    if (said !== undefined) t.true(answer.text.includes(said), answer.text);
  });
}
