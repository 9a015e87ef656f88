// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { agent, phase, run, waits, type World, world } from '../run-world.ts';

const SAYS = 'kwok.nexusos.dev/termination-message';

function read({ user, namespace }: World, path: string, ...what: readonly string[]): Promise<string> {
  return user.does(['get', '-n', namespace, ...what, '-o', `jsonpath=${path}`]);
}

function ends(place: World, name: string, how: 'Succeeded' | 'Failed'): Promise<unknown> {
  return eventually(`${name} is ${how}`, async () => (await phase(place, name)) === how);
}

test('input and parameters reach the pod as the docs say', async (t) => {
  const parameters = [
    { name: 'topic', required: true },
    { name: 'style', default: 'short' },
  ];
  const place = await world(t, 'given', { worker: { parameters } });
  const { user, namespace } = place;
  const spec = { input: { configMapKeyRef: { name: 'data', key: 'doc' } }, parameters: { topic: '$(HOME)' } };
  await user.applies(run(namespace, 'reads', { spec }));
  t.regex(await waits(place, 'reads', 'InputNotFound'), /no ConfigMap data/);
  await user.does(['create', 'configmap', 'data', '-n', namespace, '--from-literal=doc=hello']);
  await ends(place, 'reads', 'Succeeded');
  const child = await read(place, '{.status.child.name}', 'run/reads');
  t.is(await read(place, '{.data.input}', `configmap/${child}`), 'hello');
  t.is(
    await read(place, '{.data.parameters\\.json}', `configmap/${child}`),
    '{"style":"short","topic":"$(HOME)"}',
  );
  t.regex(await read(place, '{.status.input.digest}', 'run/reads'), /^sha256:2cf24dba/);
  const variables = await read(
    place,
    '{.items[0].spec.containers[0].env[*].name}',
    'pods',
    '-l',
    'nexusos.dev/run=reads',
  );
  for (const name of ['NEXUSOS_INPUT_FILE', 'NEXUSOS_PARAMETER_topic', 'NEXUSOS_RESULT_FILE']) {
    t.true(variables.split(' ').includes(name), `${name} in: ${variables}`);
  }
  await user.applies(run(namespace, 'guesses', { spec: { parameters: { stile: 'long' } } }));
  await ends(place, 'guesses', 'Failed');
  t.regex(
    await waits(place, 'guesses', 'InvalidParameters'),
    /Agent worker has no stile; allowed are topic, style/,
  );
});

test('what a container says at its end is in the status of its Run', async (t) => {
  const place = await world(t, 'telling');
  const { user, namespace } = place;
  const said = { output: { pages: 3 }, usage: { inputTokens: 120, toolCalls: 2 } };
  await user.applies(run(namespace, 'tells', { annotations: { [SAYS]: JSON.stringify(said) } }));
  await ends(place, 'tells', 'Succeeded');
  t.is(await read(place, '{.status.result.output}', 'run/tells'), '{"pages":3}');
  t.is(await read(place, '{.status.usage.reported.inputTokens}', 'run/tells'), '120');
  const fails = { 'kwok.nexusos.dev/outcome': 'exit-code', [SAYS]: 'the model is away' };
  await user.applies(run(namespace, 'breaks', { annotations: fails }));
  await ends(place, 'breaks', 'Failed');
  t.regex(await read(place, '{.status.error.message}', 'run/breaks'), /exit code 1: the model is away/);
});

test('input that cannot be meant is refused with its field', async (t) => {
  const place = await world(t, 'strict');
  const { user, namespace } = place;
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ input: { inline: 'a', uri: 's3://b/c' } }, /at most one of inline/],
    [{ input: { uri: 'not an address' } }, /spec\.input\.uri/],
    [{ input: { inline: 'a', digest: 'md5:0' } }, /spec\.input\.digest/],
    [{ parameters: { 'LD PRELOAD': 'x' } }, /letters, digits and underscores/],
    [{ parameters: { a: 'x'.repeat(2049) } }, /spec\.parameters\.a/],
    [{ input: { inline: 'x'.repeat(32_769) } }, /spec\.input\.inline/],
  ];
  for (const [spec, want] of cases) {
    const { ok, text } = await user.tries(
      ['apply', '-f', '-'],
      JSON.stringify(run(namespace, 'odd', { spec })),
    );
    t.false(ok);
    t.regex(text, want);
  }
  const odd = agent(namespace, { parameters: [{ name: 'style', default: 'loud', enum: ['short', 'long'] }] });
  const { ok, text } = await user.tries(['apply', '-f', '-'], JSON.stringify(odd));
  t.false(ok);
  t.regex(text, /spec\.parameters\[0\]\.default.*default must be one of the values of enum/);
});
