// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '#operator/core/object';
import type { AdmissionRequest } from '../review.ts';
import { doubtOf } from './doubt.ts';

const NAMESPACES: Readonly<Record<string, string | undefined>> = {
  'acme-dev': 'acme',
  'lost-dev': 'lost',
  'nexusos-system': undefined,
};
const FACTS = {
  namespace: (name: string): KubeObject | undefined => {
    if (!(name in NAMESPACES)) return undefined;
    const tenant = NAMESPACES[name];
    const labels = tenant === undefined ? {} : { [LABELS.tenant]: tenant };
    return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  },
  tenant: (name: string) => (name === 'acme' ? {} : undefined),
  agent: (namespace: string, name: string) => (`${namespace}/${name}` === 'acme-dev/kept' ? {} : undefined),
};

const of = (spec: object): KubeObject => ({ apiVersion: 'v1', kind: 'K', metadata: { name: 'x' }, spec });

function request(what: string, namespace: string, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  const [resource = '', group = ''] = what.split(/\.(.*)/);
  return {
    uid: 'u',
    kind: { group, version: 'v1', kind: 'K' },
    resource: { group, version: 'v1', resource },
    name: 'x',
    namespace,
    operation: 'CREATE',
    userInfo: { username: 'jane', groups: [] },
    object: of({ a: 1 }),
    oldObject: null,
    dryRun: false,
    ...more,
  };
}

const UPDATE = { operation: 'UPDATE', oldObject: of({ a: 2 }) } as const;
const SAME = { operation: 'UPDATE', oldObject: of({ a: 1 }) } as const;
const DELETE = { operation: 'DELETE', object: null, oldObject: of({ a: 1 }) } as const;

const CASES: readonly (readonly [request: AdmissionRequest, why: RegExp | undefined])[] = [
  [request('pods', 'acme-dev'), undefined],
  [request('deployments.apps', 'acme-dev', UPDATE), undefined],
  [request('pods', 'new-dev'), /^namespace new-dev is not among what was kept$/],
  [request('pods', 'new-dev', UPDATE), /not among/],
  [request('pods', 'lost-dev'), /^tenant lost of namespace lost-dev is not among what was kept$/],
  [request('pods', 'nexusos-system'), /was no tenant's when this was kept/],
  [request('pods', 'new-dev', DELETE), undefined],
  [request('clusterthings.example.com', ''), undefined],
  [request('agents.nexusos.dev', 'acme-dev'), undefined],
  [request('agents.nexusos.dev', 'nexusos-system'), /was no tenant's when this was kept/],
  [request('runs.nexusos.dev', 'nexusos-system'), /was no tenant's when this was kept/],
  [request('runs.nexusos.dev', 'acme-dev', { object: of({ agentRef: { name: 'kept' } }) }), undefined],
  [
    request('runs.nexusos.dev', 'acme-dev', { object: of({ agentRef: { name: 'new' } }) }),
    /Agent new of .* is not among/,
  ],
  [request('runs.nexusos.dev', 'acme-dev', UPDATE), undefined],
  [request('runs.nexusos.dev', 'new-dev'), /not among/],
  [request('runs.nexusos.dev', 'lost-dev'), /not among/],
  [request('policypacks.nexusos.dev', 'nexusos-system', UPDATE), undefined],
  [request('policyexemptions.nexusos.dev', 'nexusos-system'), undefined],
  [request('tenants.nexusos.dev', ''), /beside all others/],
  [request('tenants.nexusos.dev', '', UPDATE), /beside all others/],
  [request('tenants.nexusos.dev', '', SAME), undefined],
  [request('tenants.nexusos.dev', '', DELETE), undefined],
  [request('gpuclasses.nexusos.dev', ''), undefined],
  [request('gpuclasses.nexusos.dev', '', DELETE), /may have come since/],
  [request('tenants.example.com', ''), undefined],
];

for (const [one, why] of CASES) {
  const { operation, resource, namespace } = one;
  const what = `${operation} of ${resource.resource}.${resource.group} in "${namespace}"`;
  const same = `${JSON.stringify(one.oldObject?.['spec'])} ${JSON.stringify(one.object?.['spec'])}`;
  test(`${what} ${same} ${why === undefined ? 'can be judged by what was kept' : 'cannot'}`, (t) => {
    const doubt = doubtOf(one, FACTS);
    if (why === undefined) t.is(doubt, undefined);
    else t.regex(doubt ?? '', why);
  });
}
