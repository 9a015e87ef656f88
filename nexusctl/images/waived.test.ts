// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '#operator/core/object';
import { parseReference, type Reference } from '#operator/core/oci/reference';
import { CommandError } from '../cli/command.ts';
import type { ImageObjects } from './objects.ts';
import { choose, type Place } from './place.ts';
import { policiesAmong } from './policies.ts';
import { waivedOf } from './waivers.ts';

const IMAGE = 'registry.example/team/app';
const HERE: Place = {
  namespace: 'team-main',
  labels: { 'nexusos.dev/tenant': 'team', zone: 'a' },
  tenant: 'team',
};

function reference(text = `${IMAGE}:1`): Reference {
  const read = parseReference(text);
  if (read.kind !== 'ok') throw new Error(read.found);
  return read.reference;
}

function object(kind: string, metadata: object, spec: object): KubeObject {
  return { apiVersion: 'nexusos.dev/v1alpha1', kind, metadata, spec } as unknown as KubeObject;
}

const ASKED = {
  images: ['registry.example/team/*'],
  authorities: [{ name: 'scanner', key: { pem: 'PEM' } }],
  require: { vulnerabilities: { from: ['scanner'] } },
};

function policy(change: object = {}, kind = 'ClusterImagePolicy', namespace?: string): KubeObject {
  return object(kind, { name: 'scanned', ...(namespace && { namespace }) }, { ...ASKED, ...change });
}

function known(...objects: readonly KubeObject[]): ImageObjects {
  return { objects, isOfCluster: false, platform: 'nexusos-system', forbidden: [], notes: [] };
}

const places: Readonly<
  Record<string, { policy: KubeObject; place?: Place; is: RegExp | 'asked'; note?: RegExp }>
> = {
  'an image that it is about': { policy: policy(), is: 'asked' },
  'an image that it is not about': {
    policy: policy({ images: ['other.example/*'] }),
    is: /^ClusterImagePolicy scanned is about other\.example\/\*$/,
  },
  'a namespace that it selects': {
    policy: policy({ namespaceSelector: { matchLabels: { zone: 'a' } } }),
    place: HERE,
    is: 'asked',
  },
  'a namespace that it does not select': {
    policy: policy({ namespaceSelector: { matchLabels: { zone: 'b' } } }),
    place: HERE,
    is: /does not select namespace team-main by its namespaceSelector/,
  },
  'a selector, and no namespace': {
    policy: policy({ namespaceSelector: { matchLabels: { zone: 'b' } } }),
    is: 'asked',
    note: /name one by --namespace/,
  },
  'a selector, and a namespace of which nothing is known': {
    policy: policy({ namespaceSelector: { matchLabels: { zone: 'b' } } }),
    place: { ...HERE, labels: undefined },
    is: 'asked',
    note: /have the Namespace, with its labels, among the files/,
  },
  'one of the namespace': { policy: policy({}, 'ImagePolicy', 'team-main'), place: HERE, is: 'asked' },
  'one of another namespace': {
    policy: policy({}, 'ImagePolicy', 'team-lab'),
    place: HERE,
    is: /ImagePolicy scanned is for namespace team-lab/,
  },
  'one of some namespace, and none is named': {
    policy: policy({}, 'ImagePolicy', 'team-lab'),
    is: 'asked',
    note: /for namespace team-lab alone/,
  },
};

for (const [title, { policy: one, place, is, note }] of Object.entries(places)) {
  test(`which policies are asked: ${title}`, (t) => {
    const { asked, others } = choose(policiesAmong(known(one)), reference(), place);
    t.is(asked.length, is === 'asked' ? 1 : 0);
    if (is !== 'asked') t.regex(others[0] ?? '', is);
    const notes = asked.flatMap((each) => each.notes).join();
    if (note === undefined) t.is(notes, '');
    else t.regex(notes, note);
  });
}

interface WaiverChange {
  readonly spec?: object;
  readonly metadata?: object;
}

function waiver({ spec = {}, metadata = {} }: WaiverChange = {}): KubeObject {
  const about = {
    name: 'right',
    namespace: 'nexusos-system',
    annotations: { 'nexusos.dev/created-by': 'ann' },
    ...metadata,
  };
  return object('ImageWaiver', about, {
    policies: ['scanned'],
    vulnerability: 'CVE-2026-0001',
    subjects: { images: ['registry.example/team/*'] },
    reason: 'nothing calls it',
    ticket: 'SEC-1',
    expiresAt: '2026-12-31T00:00:00Z',
    approval: { decision: 'Approved', by: 'bob' },
    ...spec,
  });
}

const left: Readonly<Record<string, { waiver: KubeObject; place?: Place; why: RegExp }>> = {
  'nobody has approved it': {
    waiver: waiver({ spec: { approval: undefined } }),
    why: /nobody has approved it/,
  },
  'it was rejected': {
    waiver: waiver({ spec: { approval: { decision: 'Rejected', by: 'bob' } } }),
    why: /rejected/,
  },
  'who asked for it approves it': {
    waiver: waiver({ spec: { approval: { decision: 'Approved', by: 'ann' } } }),
    why: /must be somebody else/,
  },
  'nobody knows who asked for it': {
    waiver: waiver({ metadata: { annotations: {} } }),
    why: /who asked for it is not known/,
  },
  'it is for some namespaces, and none is named': {
    waiver: waiver({ spec: { subjects: { namespaces: ['team-main'] } } }),
    why: /name the namespace by --namespace/,
  },
  'it is for another tenant': {
    waiver: waiver({ spec: { subjects: { tenants: ['other'] } } }),
    place: HERE,
    why: /for other images, namespaces or tenants/,
  },
  'it is being deleted': {
    waiver: waiver({ metadata: { deletionTimestamp: '2026-11-01T00:00:00Z' } }),
    why: /being deleted/,
  },
};

for (const [title, { waiver: one, place, why }] of Object.entries(left)) {
  test(`a waiver that does not count is told, and why: ${title}`, (t) => {
    const all = known(policy(), one);
    const [asked] = policiesAmong(all);
    const { waivers, notes } = waivedOf(all, asked!, { reference: reference(), place });
    t.deepEqual(waivers, []);
    t.is(notes.length, 1);
    t.regex(notes[0] ?? '', why);
  });
}

test('waivers count where a cluster takes them', (t) => {
  const all = known(policy(), waiver(), waiver({ metadata: { name: 'elsewhere', namespace: 'team-main' } }));
  const [asked] = policiesAmong(all);
  const taken = waivedOf(all, asked!, { reference: reference(), place: undefined });
  t.deepEqual(
    taken.waivers.map(({ name }) => name),
    ['right'],
    'of the namespace of the platform alone',
  );
  t.deepEqual(taken.notes, []);
  const own = known(policy({}, 'ImagePolicy', 'team-main'), waiver());
  const ofTenant = waivedOf(own, policiesAmong(own)[0]!, { reference: reference(), place: HERE });
  t.deepEqual(ofTenant.waivers, [], 'what a tenant asks of itself, nobody waives');
});

test('a waiver of a file that does not fit its schema is told', (t) => {
  const all = known(policy(), waiver({ spec: { expiresAt: 'soon' } }));
  const error = t.throws(
    () => waivedOf(all, policiesAmong(all)[0]!, { reference: reference(), place: undefined }),
    { instanceOf: CommandError },
  );
  t.regex(error?.details.join() ?? '', /spec\.expiresAt/);
});
