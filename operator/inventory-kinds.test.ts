// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type InventoryKind, readInventoryKinds } from './settings.ts';

const INGRESSES = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
};
const CLASSES = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  namespaced: false,
};

const SETTINGS: Readonly<Record<string, readonly [string, readonly InventoryKind[] | undefined]>> = {
  none: ['', []],
  'one, and one that is in no namespace': [
    'networking.k8s.io/v1/ingresses=Ingress, cluster:storage.k8s.io/v1/storageclasses=StorageClass',
    [INGRESSES, CLASSES],
  ],
  'the core group': [
    'v1/services=Service',
    [{ apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true }],
  ],
  'never Secrets': ['v1/services=Service,v1/secrets=Secret', undefined],
  'no wildcard': ['apps/v1/*=Deployment', undefined],
  'no version': ['services=Service', undefined],
  'an end too many': ['v1/services=Service,', undefined],
  'a subresource': ['v1/pods/log=Pod', undefined],
};

for (const [name, [text, want]] of Object.entries(SETTINGS)) {
  test(`kinds that packs may look at: ${name}`, (t) => {
    t.deepEqual(readInventoryKinds(text), want);
  });
}
