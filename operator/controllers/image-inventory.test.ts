// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import { verdictOn } from '../core/images/wanted.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import { CLUSTER_IMAGE_POLICIES, IMAGE_VERDICTS, NAMESPACES } from '../core/resources.ts';
import type { Reader } from '../runtime/controller.ts';
import { imageInventoryController } from './image-inventory.ts';
import { ImagePolicies } from './shared/image-policies.ts';

const PLATFORM = 'nexusos-system';

const POLICY: KubeObject = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'ClusterImagePolicy',
  metadata: { name: 'p', uid: 'p', generation: 1 },
  spec: { images: ['*'], enforcement: 'Enforce', unknown: 'Deny', maxAgeSeconds: 1, authorities: [] },
};

function namespace(deletionTimestamp?: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: 'team-main',
      labels: { [LABELS.tenant]: 'team' },
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
  };
}

/** What a pass over a namespace comes to in which a Deployment runs an image, and how often it was asked what runs. */
async function pass(object: KubeObject) {
  const listed: string[] = [];
  const there = new Map<Resource, readonly KubeObject[]>([
    [CLUSTER_IMAGE_POLICIES, [POLICY]],
    [IMAGE_VERDICTS, [verdictOn('docker.io/library/old:1', 'team-main')]],
  ]);
  const container = { name: 'a', image: 'docker.io/library/new:1' };
  const deployment: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'team-main' },
    spec: { template: { spec: { containers: [container] } } },
  };
  const reader: Reader = {
    get: (resource) => (resource === NAMESPACES ? object : undefined),
    list: (resource) => there.get(resource) ?? [],
    live: () => Promise.resolve(undefined),
    listLive: ({ plural }) => {
      listed.push(plural);
      return Promise.resolve(plural === 'deployments' ? [deployment] : []);
    },
    anyLive: () => Promise.resolve(false),
  };
  const controller = imageInventoryController({
    platformNamespace: PLATFORM,
    policies: new ImagePolicies(PLATFORM),
  });
  const seen = await controller.observe(object, reader);
  return { listed, plan: controller.plan(object, seen, new Date()) };
}

test('what a namespace of a tenant runs has a verdict', async (t) => {
  const { listed, plan } = await pass(namespace());
  t.true(listed.includes('deployments'));
  t.deepEqual(plan.apply, [verdictOn('docker.io/library/new:1', 'team-main')]);
});

test('of one that is being deleted nothing is asked, and nothing is made in it: the API server would refuse that again and again', async (t) => {
  const { listed, plan } = await pass(namespace('2026-11-23T12:00:00Z'));
  t.deepEqual(listed, []);
  t.deepEqual(plan.apply, []);
  t.is(plan.result.kind, 'done');
});
