// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { imagesOf, newImages, podImages } from './images.ts';

const spec = {
  initContainers: [{ name: 'first', image: 'init:1' }],
  containers: [{ name: 'main', image: 'main:1' }, { name: 'none' }],
  ephemeralContainers: [{ name: 'look', image: 'debug:1' }],
  volumes: [
    { name: 'empty', emptyDir: {} },
    { name: 'data', image: { reference: 'volume:1' } },
  ],
};

const all = [
  ['initContainers[0].image', 'init:1'],
  ['containers[0].image', 'main:1'],
  ['ephemeralContainers[0].image', 'debug:1'],
  ['volumes[1].image.reference', 'volume:1'],
];

test('all images of a pod are seen: run first, run, looked with, and mounted', (t) => {
  t.deepEqual(
    podImages(spec).map(({ field, image }) => [field, image]),
    all.map(([field, image]) => [`spec.${field}`, image]),
  );
});

const kinds: Readonly<Record<string, { readonly object: unknown; readonly at: string }>> = {
  '/pods': { object: { spec }, at: 'spec' },
  'apps/deployments': { object: { spec: { template: { spec } } }, at: 'spec.template.spec' },
  'apps/statefulsets': { object: { spec: { template: { spec } } }, at: 'spec.template.spec' },
  'apps/daemonsets': { object: { spec: { template: { spec } } }, at: 'spec.template.spec' },
  'apps/replicasets': { object: { spec: { template: { spec } } }, at: 'spec.template.spec' },
  '/replicationcontrollers': { object: { spec: { template: { spec } } }, at: 'spec.template.spec' },
  'batch/jobs': { object: { spec: { template: { spec } } }, at: 'spec.template.spec' },
  'batch/cronjobs': {
    object: { spec: { jobTemplate: { spec: { template: { spec } } } } },
    at: 'spec.jobTemplate.spec.template.spec',
  },
};

for (const [name, { object, at }] of Object.entries(kinds)) {
  test(`images are found where a kind keeps them: ${name}`, (t) => {
    const [group = '', resource = ''] = name.split('/');
    t.deepEqual(
      imagesOf({ group, resource }, object).map(({ field }) => field),
      all.map(([field]) => `${at}.${field}`),
    );
  });
}

for (const [title, object] of Object.entries({
  'no object': undefined,
  'no spec': {},
  'lists that are none': { spec: { containers: 'many', volumes: { image: {} } } },
  'entries that are none': {
    spec: { containers: [null, 3, { image: 7 }], volumes: [null, { image: null }] },
  },
})) {
  test(`what is no pod has no images: ${title}`, (t) => {
    t.deepEqual(imagesOf({ group: '', resource: 'pods' }, object), []);
  });
}

test('other kinds have none', (t) => {
  t.deepEqual(imagesOf({ group: '', resource: 'services' }, { spec }), []);
  t.deepEqual(imagesOf({ group: 'example.com', resource: 'pods' }, { spec }), []);
});

const use = (field: string, image: string): { field: string; image: string } => ({ field, image });

test('what was there before is not new, wherever it stands', (t) => {
  t.deepEqual(newImages([use('a', 'x:1'), use('b', 'y:1')], [use('b', 'x:1')]), [use('b', 'y:1')]);
});
