// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunSpec } from '#crds/v1alpha1/run';
import { type Given, givenConfigMap, givenVariables, givenVolumes } from './input-files.ts';
import { resolveInput } from './input.ts';
import { makeRun } from './testing/make.ts';

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

test('Kubernetes replaces nothing in what a user wrote', (t) => {
  const given = givenOf({ uri: 'https://example.com/$(NEXUSOS_RUN)' }, { a: '$(HOME)' });
  const variables = new Map(givenVariables(given).map(({ name, value }) => [name, value]));
  t.is(variables.get('NEXUSOS_INPUT_URI'), 'https://example.com/$$(NEXUSOS_RUN)');
  t.is(variables.get('NEXUSOS_PARAMETER_a'), undefined, 'by reference, which is never looked into');
});
