// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { type ApiAnswer, type ApiUser, apiUser } from '../api-user.ts';
import { agent, run, world } from '../run-world.ts';

const test = anyTest as TestFn<{ readonly someone: ApiUser }>;
const PATH = '/apis/nexusos.dev/v1alpha1/namespaces/garbled-main';

/** What is torn down after a test elsewhere is torn down here after the last of them. */
const ENDS: (() => unknown)[] = [];
const HOOK = { teardown: (end: () => unknown) => ENDS.push(end) } as unknown as ExecutionContext;

test.before(async (t) => {
  const cluster = await attachSystem();
  const { user, namespace } = await world(HOOK, 'garbled', { worker: { schedule: { cron: '0 0 1 1 *' } } });
  await user.applies(run(namespace, 'held', { spec: { suspend: true } }));
  t.context = { someone: await apiUser(cluster, { user: 'garbled-admin', groups: ['system:masters'] }) };
});
test.after.always(async ({ context: { someone } }) => {
  await Promise.all(ENDS.map((end) => end()));
  await someone?.close();
});

/** Refused by the schema, which names the field: not by an expression of ours that could not be evaluated. */
function schemaRefuses(t: ExecutionContext, { status, message }: ApiAnswer, words: RegExp): void {
  t.is(status, 422, message);
  t.regex(message, words);
  t.notRegex(message, /-authors|expression|JSON Patch/);
}

const DECISIONS: Readonly<Record<string, readonly [spec: unknown, words: RegExp]>> = {
  'a decision that is a word': [{ approval: 'Approved' }, /spec\.approval: Invalid value: "string"/],
  'an answer that is a text': [{ answers: { 1: 'yes' } }, /spec\.answers\.1: Invalid value: "string"/],
  'answers that are a word': [{ answers: 'yes' }, /spec\.answers: Invalid value: "string"/],
  'answers that are a list': [{ answers: ['yes'] }, /spec\.answers: Invalid value: "array"/],
  'a decision that is a list': [{ approval: ['Approved'] }, /spec\.approval: Invalid value: "array"/],
  'no spec any more': [null, /spec: Required value/],
  'a spec that is a list': [[], /spec: Invalid value: "array"/],
};
for (const [what, [spec, words]] of Object.entries(DECISIONS)) {
  test(`the schema says what is wrong with ${what}`, async (t) => {
    schemaRefuses(t, await t.context.someone.send('PATCH', `${PATH}/runs/held`, { spec }), words);
  });
}

const AGENTS: Readonly<Record<string, readonly [spec: unknown, words: RegExp]>> = {
  'no spec': [undefined, /spec: Required value/],
  'a spec that is a list': [[], /spec: Invalid value: "array"/],
  'a schedule that is a word': [{ schedule: 'daily' }, /spec\.schedule: Invalid value: "string"/],
  'a schedule that is a list': [{ schedule: ['daily'] }, /spec\.schedule: Invalid value: "array"/],
};
for (const [what, [spec, words]] of Object.entries(AGENTS)) {
  test(`the schema says what is wrong with an Agent that has ${what}`, async (t) => {
    const { someone } = t.context;
    const created = { ...agent('garbled-main'), metadata: { name: 'odd', namespace: 'garbled-main' }, spec };
    schemaRefuses(t, await someone.send('POST', `${PATH}/agents`, created), words);
    const changed = await someone.send('PATCH', `${PATH}/agents/worker`, { spec: spec ?? null });
    schemaRefuses(t, changed, words);
  });
}
