// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#operator/core/object';
import { GROUPS_OF_KUBERNETES, isForeignGroup } from '#operator/core/policy/foreign-kinds';
import { registeredRules } from '#webhooks/registrations';
import { ensureTools } from '../tools/build.ts';
import { type RunResult, runProgram } from '../tools/run-program.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { helmEnvironment } from './chart.ts';

/** What the chart makes of `webhooks.policy.resources`: Helm itself says. */

const CHART = join(import.meta.dirname, '../../charts/nexusos');

let folder = '';
let remove: () => Promise<void> = async () => {};
test.before(async () => {
  folder = await temporaryFolder({ teardown: (undo) => void (remove = undo) }, 'helm');
});
test.after.always(() => remove());

async function template(resources: unknown): Promise<RunResult> {
  const { helm } = await ensureTools(['helm']);
  const values = { webhooks: { policy: { resources }, mutation: { enabled: true } } };
  return runProgram(helm, {
    args: ['template', 'nexusos', CHART, '--namespace', 'platform', '--values', '-'],
    stdin: JSON.stringify(values),
    env: helmEnvironment(folder),
  });
}

async function render(resources: unknown): Promise<readonly KubeObject[]> {
  const { code, stdout, stderr } = await template(resources);
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

function pick(objects: readonly KubeObject[], kind: string): readonly KubeObject[] {
  return objects.filter((object) => object.kind === kind);
}

const ROLLOUTS = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', resource: 'rollouts' };

/** What the chart makes of kinds of others: what is asked about, who may list them, and what the operator is told. */
async function foreignKinds(resources: unknown) {
  const objects = await render(resources);
  const rules = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'].flatMap((kind) =>
    pick(objects, kind).flatMap((one) => registeredRules(one) ?? []),
  );
  const own = [...pick(objects, 'ClusterRole'), ...pick(objects, 'ClusterRoleBinding')];
  const settings = pick(objects, 'ConfigMap').find((one) => one.metadata.name === 'nexusos-operator');
  return {
    resources: rules.filter(({ apiGroups }) => apiGroups.some(isForeignGroup)).map((one) => one.resources),
    rights: own.filter((one) => one.metadata.name === 'nexusos:policy-resources'),
    told: (settings!['data'] as Record<string, string>)['NEXUSOS_POLICY_RESOURCES'],
  };
}

const GATEWAYS = ['gateways', 'grpcroutes', 'httproutes'];

test('kinds of others are asked about, listed by the operator, and by nobody else, once they are named', async (t) => {
  for (const none of [[], null])
    t.deepEqual(await foreignKinds(none), { resources: [GATEWAYS, GATEWAYS], rights: [], told: '' });
  const odd = { apiVersion: '1.5/v1', kind: 'Yes', resource: 'yes' };
  const { resources, rights, told } = await foreignKinds([ROLLOUTS, odd]);
  t.deepEqual(resources, [
    GATEWAYS,
    ['rollouts', 'rollouts/scale'],
    ['yes', 'yes/scale'],
    GATEWAYS,
    ['rollouts'],
    ['yes'],
  ]);
  t.is(told, 'argoproj.io/v1alpha1/rollouts=Rollout,1.5/v1/yes=Yes');
  const [role, binding] = rights;
  t.deepEqual(role?.['rules'], [
    { apiGroups: ['argoproj.io'], resources: ['rollouts'], verbs: ['list'] },
    { apiGroups: ['1.5'], resources: ['yes'], verbs: ['list'] },
  ]);
  const account = { kind: 'ServiceAccount', name: 'nexusos-operator', namespace: 'platform' };
  t.deepEqual(binding?.['subjects'], [account]);
});

const NO_KINDS_OF_OTHERS: Readonly<Record<string, readonly [unknown, RegExp]>> = {
  'a group of Kubernetes': [
    [ROLLOUTS, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', resource: 'leases' }],
    /webhooks\.policy\.resources\[1\]\.apiVersion: found group coordination\.k8s\.io; allowed are groups of CustomResourceDefinitions of others/,
  ],
  ours: [
    [{ apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run', resource: 'runs' }],
    /resources\[0\]\.apiVersion: found group nexusos\.dev; allowed are/,
  ],
  'what looks like ours': [
    [{ apiVersion: 'x.nexusos.dev/v1', kind: 'Y', resource: 'ys' }],
    /found group x\.nexusos\.dev; allowed are/,
  ],
  'a kind twice': [
    [ROLLOUTS, { ...ROLLOUTS, apiVersion: 'argoproj.io/v1' }],
    /resources\[1\]\.resource: found rollouts\.argoproj\.io twice; allowed is each kind once/,
  ],
  'all kinds of a group': [[{ ...ROLLOUTS, resource: '*' }], /resources[/.]0[/.]resource/],
  'the core group': [
    [{ apiVersion: 'v1', kind: 'Secret', resource: 'secrets' }],
    /resources[/.]0[/.]apiVersion/,
  ],
  'the status of a kind': [[{ ...ROLLOUTS, resource: 'rollouts/status' }], /resources[/.]0[/.]resource/],
  'a text that would be another rule': [
    [{ ...ROLLOUTS, resource: 'x", "secrets' }],
    /resources[/.]0[/.]resource/,
  ],
};

for (const [name, [resources, words]] of Object.entries(NO_KINDS_OF_OTHERS)) {
  test(`no kind of others: ${name}`, async (t) => {
    const { code, stderr } = await template(resources);
    t.not(code, 0);
    t.regex(stderr, words);
  });
}

test('the chart and the operator know the same groups of Kubernetes', async (t) => {
  const text = await readFile(join(CHART, 'templates/_names.tpl'), 'utf8');
  const [, list = ''] = /\$kubernetes := list (.*?) \}\}/.exec(text) ?? [];
  t.deepEqual(
    list.split(' ').map((one) => JSON.parse(one) as string),
    [...GROUPS_OF_KUBERNETES],
  );
});
