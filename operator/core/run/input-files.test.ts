// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunSpec } from '#crds/v1alpha1/run';
import { type Given, givenConfigMap, givenVariables, givenVolumes } from './input-files.ts';
import { resolveInput } from './input.ts';
import { ago, makeRun } from './testing/make.ts';

const METADATA = { name: 'r-x-1', namespace: 'acme-dev' };

function givenOf(input: RunSpec['input'], parameters: Readonly<Record<string, string>> = {}): Given {
  const run = makeRun(input === undefined ? {} : { input });
  const resolved = resolveInput(run, { source: undefined, made: undefined });
  const copied = resolved.kind === 'ready' ? resolved.copied : undefined;
  return { run, name: 'r-x-1', copied, parameters: new Map(Object.entries(parameters)) };
}

test('where nothing is given, nothing is made', (t) => {
  const given = givenOf(undefined);
  t.is(givenConfigMap(given, METADATA), undefined);
  t.deepEqual(givenVolumes(given), { volumes: [], mounts: [] });
  t.deepEqual(givenVariables(given), [{ name: 'NEXUSOS_RESULT_FILE', value: '/dev/termination-log' }]);
});

test('input and parameters are files of one read-only folder, and parameters are variables too', (t) => {
  const given = givenOf({ inline: 'hello' }, { topic: 'q3' });
  const data = { input: 'hello', 'parameters.json': '{"topic":"q3"}', 'parameter.topic': 'q3' };
  t.like(givenConfigMap(given, METADATA), { immutable: true, data });
  const items = [
    { key: 'input', path: 'input' },
    { key: 'parameters.json', path: 'parameters.json' },
    { key: 'parameter.topic', path: 'parameters/topic' },
  ];
  const { volumes, mounts } = givenVolumes(given);
  t.deepEqual(volumes, [
    { name: 'input', projected: { sources: [{ configMap: { name: 'r-x-1', items } }] } },
  ]);
  t.like(mounts[0], { mountPath: '/var/run/nexusos/input', readOnly: true });
  const variables = new Map(givenVariables(given).map(({ name, ...value }) => [name, value]));
  t.like(variables.get('NEXUSOS_INPUT_FILE'), { value: '/var/run/nexusos/input/input' });
  t.regex(variables.get('NEXUSOS_INPUT_DIGEST')?.value ?? '', /^sha256:2cf24dba/);
  t.deepEqual(variables.get('NEXUSOS_PARAMETER_topic')?.valueFrom, {
    configMapKeyRef: { name: 'r-x-1', key: 'parameter.topic' },
  });
});

test('what was answered, and what the container wanted kept, are files of that folder, too', (t) => {
  const asked = { prompt: 'Pay?', attempt: 1, askedAt: ago(60) };
  const question = { ...asked, number: 2, answeredAt: ago(1), state: '{"step":3}', stateUri: 's3://b/$(X)' };
  const answers = { 1: { text: 'acme', by: 'ann' }, 2: { text: '$(HOME)' } };
  const run = makeRun({ answers }, { phase: 'Queued', question });
  const given: Given = { run, name: 'r-x-2', copied: undefined, parameters: new Map() };
  t.like(givenConfigMap(given, METADATA), {
    data: {
      answer: '$(HOME)',
      'answers.json': '{"1":{"text":"acme","by":"ann"},"2":{"text":"$(HOME)"}}',
      state: '{"step":3}',
    },
  });
  const items = ['answer', 'answers.json', 'state'].map((key) => ({ key, path: key }));
  t.deepEqual(givenVolumes(given).volumes, [
    { name: 'input', projected: { sources: [{ configMap: { name: 'r-x-2', items } }] } },
  ]);
  const variables = new Map(givenVariables(given).map(({ name, value }) => [name, value]));
  t.is(variables.get('NEXUSOS_ANSWER_FILE'), '/var/run/nexusos/input/answer');
  t.is(variables.get('NEXUSOS_ANSWERS_FILE'), '/var/run/nexusos/input/answers.json');
  t.is(variables.get('NEXUSOS_STATE_FILE'), '/var/run/nexusos/input/state');
  t.is(variables.get('NEXUSOS_STATE_URI'), 's3://b/$$(X)');
});

test('before its question is answered, an attempt is given nothing of it', (t) => {
  const question = { number: 1, prompt: 'Pay?', attempt: 1, askedAt: ago(60), state: 's' };
  const run = makeRun({ answers: { 1: { text: 'yes' } } }, { phase: 'Queued', question });
  const given: Given = { run, name: 'r-x-2', copied: undefined, parameters: new Map() };
  t.is(givenConfigMap(given, METADATA), undefined);
  t.is(givenVariables(given).length, 1);
});

test('a Secret is mounted where the input is looked for, and copied nowhere', (t) => {
  const given = givenOf({ secretKeyRef: { name: 'vault', key: 'doc' } });
  t.is(givenConfigMap(given, METADATA), undefined);
  t.deepEqual(givenVolumes(given).volumes, [
    {
      name: 'input',
      projected: { sources: [{ secret: { name: 'vault', items: [{ key: 'doc', path: 'input' }] } }] },
    },
  ]);
});

/** How a kubelet reads the value of a variable, where $(ANY) is replaced by !. */
function expanded(value: string): string {
  return value.replaceAll(/\$(?:\$|\([^)]*\)|)/g, (found) => ({ $: '$', $$: '$' })[found] ?? '!');
}

const WRITTEN = [
  '$(HOME)',
  '$$(HOME)',
  '$$$(HOME)',
  '$$',
  'a$',
  '$',
  '$(',
  '$()',
  '$HOME',
  '${HOME}',
  '$$$$(A)$(B)',
];

for (const written of WRITTEN) {
  test(`Kubernetes replaces nothing in what a user wrote: ${written}`, (t) => {
    const session = written;
    const given = {
      ...givenOf(undefined, { a: written }),
      run: makeRun({ session, input: { uri: `s3://${written}` } }),
    };
    const variables = new Map(givenVariables(given).map(({ name, value }) => [name, value]));
    t.is(expanded(variables.get('NEXUSOS_SESSION') ?? ''), written);
    t.is(expanded(variables.get('NEXUSOS_INPUT_URI') ?? ''), `s3://${written}`);
    t.is(variables.get('NEXUSOS_PARAMETER_a'), undefined, 'by reference, which is never looked into');
  });
}

test('that reading is the one of Kubernetes', (t) => {
  const read = ['$(HOME)', '$$(HOME)', '$$$(HOME)', '$$', '$', '$HOME'].map(expanded);
  t.deepEqual(read, ['!', '$(HOME)', '$!', '$', '$', '$HOME']);
});
