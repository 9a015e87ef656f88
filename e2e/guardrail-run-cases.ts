// SPDX-License-Identifier: Apache-2.0
import type { Fields } from './guardrail-objects.ts';
import type { Pair } from './guardrail-pair.ts';

const RUN_KIND = { apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run' } as const;
const PARENT = { name: 'parent', uid: '6c0f0d52-1111-4222-8333-444455556666' } as const;
const ITS_PARENT = { ...RUN_KIND, ...PARENT } as const;

/** A Run; nothing of the kind that it names is there. */
function run(metadata: Fields = {}, spec: Fields = {}): Fields {
  return {
    ...RUN_KIND,
    metadata: { name: 'r', ...metadata },
    spec: { agentRef: { name: 'agent' }, ...spec },
  };
}

/** New Runs: whose they say to be, and whose object they pass for. */
export const RUN_PAIRS: Readonly<Record<string, Pair>> = {
  'a Run that claims to be managed by NexusOS': {
    bad: run({ labels: { 'app.kubernetes.io/managed-by': 'nexusos' } }),
    good: run({ labels: { 'app.kubernetes.io/managed-by': 'helm' } }),
    field: 'managed-by',
  },
  'a Run with a label of NexusOS': {
    bad: run({ labels: { 'nexusos.dev/scheduled-by': 'somebody' } }),
    good: run({ labels: { 'example.com/scheduled-by': 'somebody' } }),
    field: 'metadata.labels',
    found: 'nexusos.dev/scheduled-by=somebody',
  },
  'a Run with a name of NexusOS': {
    bad: run({ name: 'nexusos-r' }),
    good: run({ name: 'my-nexusos-r' }),
    field: 'metadata.name',
    found: 'nexusos-r',
  },
  'a Run with a name that the API server makes of one of NexusOS': {
    bad: run({ name: undefined, generateName: 'nexusos-' }),
    good: run({ name: undefined, generateName: 'my-' }),
    field: 'metadata.name',
  },
  'a Run that an object of NexusOS owns': {
    bad: run({ ownerReferences: [ITS_PARENT] }),
    good: run({ ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: PARENT.uid }] }),
    field: 'metadata.ownerReferences',
    found: 'Run parent',
  },
  'a Run that another one calls, and does not own': {
    bad: run({}, { parentRef: PARENT }),
    good: run({ ownerReferences: [ITS_PARENT] }, { parentRef: PARENT }),
    field: 'metadata.ownerReferences',
    found: 'none',
  },
  'a Run in the name of somebody else': {
    bad: run({ annotations: { 'nexusos.dev/created-by': 'stranger-admin' } }),
    good: run({ annotations: { 'nexusos.dev/created-by': 'guard-admin' } }),
    field: 'nexusos.dev/created-by',
    found: 'stranger-admin',
  },
  'a Run that comes with its own approval': {
    bad: run({}, { approval: { decision: 'Approved', by: 'guard-admin' } }),
    good: run(),
    field: 'spec.approval',
    found: 'Approved',
  },
  'a Run that comes with an answer': {
    bad: run({}, { answers: { '1': { text: 'yes', by: 'guard-admin' } } }),
    good: run({}, { answers: {} }),
    field: 'spec.answers',
  },
};
