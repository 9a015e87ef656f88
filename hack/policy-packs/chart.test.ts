// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseAllDocuments } from 'yaml';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { helmEnvironment } from '../system/chart.ts';
import { ensureTools } from '../tools/build.ts';
import { type RunResult, runProgram } from '../tools/run-program.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { readShippedPacks } from './packs.ts';

const ROOT = join(import.meta.dirname, '../..');
const CHART = join(ROOT, 'charts/nexusos-policy-packs');

async function helm(t: ExecutionContext, args: readonly string[], values: object = {}): Promise<RunResult> {
  const { helm: program } = await ensureTools(['helm']);
  const env = helmEnvironment(await temporaryFolder(t, 'helm'));
  const all = [...args, '--kube-version', '1.36.3', '--values', '-'];
  return runProgram(program, { args: all, stdin: JSON.stringify(values), env });
}

interface Rendered {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly annotations?: object };
  readonly spec: Readonly<Record<string, unknown>>;
}

async function render(t: ExecutionContext, values: object = {}): Promise<readonly Rendered[]> {
  const result = await helm(t, ['template', 'packs', CHART, '--namespace', 'platform'], values);
  if (result.code !== 0) throw new Error(result.stderr);
  return parseAllDocuments(result.stdout)
    .map((document) => document.toJS() as Rendered | null)
    .filter((one) => one !== null);
}

test('lint has nothing to say', async (t) => {
  const result = await helm(t, ['lint', CHART, '--strict']);
  t.is(result.code, 0, result.stdout + result.stderr);
});

test('by default baseline is tried out, in the namespace of the release', async (t) => {
  const [pack, ...others] = await render(t);
  t.is(others.length, 0);
  t.is(pack?.metadata.name, 'baseline');
  t.is(pack?.metadata.namespace, 'platform');
  t.is(pack?.spec['enforcement'], 'DryRun');
});

test('every pack that is shipped can be brought, and is what its schema allows', async (t) => {
  const enabled = readShippedPacks(ROOT).map(({ name }) => name);
  const packs = await render(t, { enabled, enforcement: 'Warn', contact: '#platform' });
  t.deepEqual(
    packs.map(({ metadata }) => metadata.name),
    enabled,
  );
  for (const { metadata, spec } of packs) {
    t.is(POLICY_PACK.spec.parse(spec).enforcement, 'Warn');
    t.deepEqual(metadata.annotations, { 'nexusos.dev/contact': '#platform' });
  }
});

test('one pack is set apart from the others', async (t) => {
  const packs = await render(t, {
    enabled: ['baseline', 'cost'],
    packs: { cost: { enforcement: 'Deny', parameters: { maxReplicas: 3 }, rollout: { shadowSeconds: 5 } } },
  });
  t.deepEqual(
    packs.map(({ spec }) => [spec['enforcement'], spec['parameters'], spec['rollout']]),
    [
      ['DryRun', undefined, undefined],
      ['Deny', { maxReplicas: 3 }, { shadowSeconds: 5 }],
    ],
  );
});

test('what there is not is refused, with what there is', async (t) => {
  const misspelt = await t.throwsAsync(render(t, { enabled: ['base-line'] }));
  t.regex(misspelt.message, /there is no pack base-line; there are agent-guardrails, baseline, /);
  const unused = await t.throwsAsync(render(t, { packs: { cost: { enforcement: 'Deny' } } }));
  t.regex(unused.message, /enabled has no pack cost; it has baseline/);
  await t.throwsAsync(render(t, { packs: { baseline: { enforcment: 'Deny' } } }));
});
