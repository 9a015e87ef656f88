// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { workloadGuardrails } from './workloads.ts';

const SETTINGS = {
  operatorUser: 'system:serviceaccount:platform:operator',
  platformNamespace: 'platform',
  platformAdminGroups: [],
  reservedNodeKeys: [],
  kueueUser: '',
  remoteImage: '',
  operatorWrites: [],
  webhookSecret: 'nexusos-webhooks-tls',
};

/** What rules for pods are about. Each has a pod that breaks it in e2e/scenarios/run-pods.e2e.test.ts, made as the operator makes them. */
const CONSIDERED = [
  'metadata.namespace',
  'spec.hostNetwork',
  'spec.hostPID',
  'spec.hostIPC',
  'spec.volumes',
  'spec.containers[*].ports[*].hostPort',
  'spec.containers[*].imagePullPolicy',
  'spec.volumes[*].image.pullPolicy',
  'spec.containers[*].image',
  'spec.containers[*].resources',
  'spec.resourceClaims',
  'spec.nodeName',
  'spec.nodeSelector, tolerations or affinity',
  'spec.tolerations',
  'spec.nodeSelector',
  'spec.runtimeClassName',
  'spec.affinity',
  'spec.volumes[*].ephemeral.volumeClaimTemplate.metadata.labels',
  'metadata.labels',
];

test('what is asked of plain pods of Runs was thought through for every rule that there is for pods', (t) => {
  const pods = workloadGuardrails(SETTINGS).find(({ name }) => name === 'pods');
  t.deepEqual(
    pods?.rules.map(({ field }) => field),
    CONSIDERED,
    'a new rule has to follow from isPlainRunPod, or that has to ask for what the rule asks',
  );
});

test('only pods are let in at a glance, and no template', (t) => {
  const judged = workloadGuardrails(SETTINGS).filter(
    ({ conditions }) => conditions?.['judged'] !== undefined,
  );
  t.deepEqual(
    judged.map(({ name }) => name),
    ['pods'],
  );
});
