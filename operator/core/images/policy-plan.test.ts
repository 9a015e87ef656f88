// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { isDeepEqual } from '../compare.ts';
import type { KubeObject } from '../object.ts';
import type { ImagePolicyObject } from './objects.ts';
import { planImagePolicy, planTrustRoot, type PolicySeen, type RootSeen } from './policy-plan.ts';
import type { Problem } from './works.ts';

const NOW = new Date('2026-11-01T00:00:00.000Z');
const LATER = new Date('2026-11-08T00:00:00.000Z');

type Policy = Parameters<typeof planImagePolicy>[0];

function policy(status?: Policy['status'], kind = 'ClusterImagePolicy'): Policy {
  const object = {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind,
    metadata: { name: 'signed', uid: 'u1', generation: 2 },
    spec: {},
  } as unknown as ImagePolicyObject;
  return { ...object, ...(status !== undefined && { status }) };
}

function verdict(
  ...policies: readonly (readonly [kind: string, name: string, outcome: string])[]
): KubeObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageVerdict',
    metadata: { name: 'v', namespace: 'a' },
    status: { policies: policies.map(([kind, name, outcome]) => ({ kind, name, outcome })) },
  };
}

const CLUSTER = 'ClusterImagePolicy';
const VERDICTS = [
  verdict([CLUSTER, 'signed', 'Verified']),
  verdict([CLUSTER, 'other', 'Refused'], [CLUSTER, 'signed', 'Verified']),
  verdict([CLUSTER, 'signed', 'Refused']),
  verdict([CLUSTER, 'signed', 'Unknown']),
  verdict(['ImagePolicy', 'signed', 'Unknown']),
  { ...verdict(), status: undefined },
];

function seen(fields: Partial<PolicySeen> = {}): PolicySeen {
  return { digest: 'sha256:p1', problems: [], verdicts: VERDICTS, hasSecrets: false, ...fields };
}

function problem(found: string): Problem {
  return { field: 'spec.authorities[0].key', found, wanted: 'a key' };
}

const MISSING: Problem = { ...problem('no key k in a Secret keys'), isMissing: true };

test('a policy counts what became of images by it, and by no namesake of another kind', (t) => {
  const { status } = planImagePolicy(policy(), seen(), NOW);
  t.like(status, { observedGeneration: 2, digest: 'sha256:p1', verified: 2, refused: 1, unknown: 1 });
  const own = planImagePolicy(policy(undefined, 'ImagePolicy'), seen(), NOW).status;
  t.like(own, { verified: 0, refused: 0, unknown: 1 });
});

for (const { name, problems } of [
  { name: 'is in force', problems: [] },
  { name: 'has a problem', problems: [problem('no key k in a Secret keys')] },
]) {
  test(`a policy that ${name}, and stays so, says the same a week later`, (t) => {
    const { status } = planImagePolicy(policy(), seen({ problems }), NOW);
    const again = planImagePolicy(policy(status), seen({ problems }), LATER);
    t.true(isDeepEqual(again.status, status));
    t.like(again, { apply: [], remove: [], events: [] });
  });
}

for (const { name, problems, ready, reason, message } of [
  { name: 'nothing is wrong', problems: [], ready: 'True', reason: 'InForce', message: /verified by it/ },
  {
    name: 'something that it names is not there',
    problems: [MISSING],
    ready: 'False',
    reason: 'NotFound',
    message: /^spec\.authorities\[0\]\.key: found no key k in a Secret keys; wanted is a key\. Until then/,
  },
  {
    name: 'something is not there, and something cannot be read',
    problems: [MISSING, problem('text')],
    ready: 'False',
    reason: 'InvalidSpec',
    message: /found no key.*; .*found text/,
  },
  {
    name: 'what is there is no key',
    problems: [problem('no PEM block')],
    ready: 'False',
    reason: 'InvalidSpec',
    message: /found no PEM block; wanted is a key/,
  },
  {
    name: 'more is wrong than anybody reads',
    problems: Array.from({ length: 64 }, (_, index) => problem(`text ${index}`)),
    ready: 'False',
    reason: 'InvalidSpec',
    message: /found text 4; wanted is a key; and 59 more\./,
  },
]) {
  test(`a policy says whether it is in force: ${name}`, (t) => {
    const conditions = planImagePolicy(policy(), seen({ problems }), NOW).status.conditions ?? [];
    const found = conditions.find(({ type }) => type === 'Ready');
    t.like(found, { status: ready, reason });
    t.regex(found?.message ?? '', message);
    t.is(
      conditions.some(({ type }) => type === 'Stalled'),
      ready === 'False',
    );
  });
}

test('a problem that is mended is told no more', (t) => {
  const stalled = planImagePolicy(policy(), seen({ problems: [problem('text')] }), NOW).status;
  const { conditions } = planImagePolicy(policy(stalled), seen(), LATER).status;
  t.deepEqual(
    conditions?.map(({ type, status, lastTransitionTime }) => [type, status, lastTransitionTime]),
    [['Ready', 'True', '2026-11-08T00:00:00Z']],
  );
});

test('only of a policy that names Secrets it is looked now and then what they say', (t) => {
  t.is(planImagePolicy(policy(), seen(), NOW).result.kind, 'done');
  t.like(planImagePolicy(policy(), seen({ hasSecrets: true }), NOW).result, {
    kind: 'requeueAfter',
    afterMs: 60_000,
  });
});

type Root = Parameters<typeof planTrustRoot>[0];

function root(spec: Root['spec'] = { trustedRoot: '{}' }, status?: Root['status']): Root {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'TrustRoot',
    metadata: { name: 'own', generation: 3 },
    spec,
    ...(status !== undefined && { status }),
  };
}

const READ = {
  digest: 'sha256:r1',
  parts: [{ kind: 'CertificateAuthority', name: 'ca' }],
} as const satisfies RootSeen['read'];
const BY_REF = { configMapRef: { name: 'roots', key: 'own.json' } };

for (const { name, spec, read, reason, message } of [
  { name: 'it was read', spec: undefined, read: READ, reason: 'Read', message: /^1 authorities and logs$/ },
  {
    name: 'the ConfigMap is not there',
    spec: BY_REF,
    read: undefined,
    reason: 'NotFound',
    message: /^spec\.configMapRef: found no key own\.json in a ConfigMap roots /,
  },
  {
    name: 'it is no root',
    spec: undefined,
    read: { field: 'tlogs[0]', found: 'text', wanted: 'a log' },
    reason: 'InvalidTrustRoot',
    message: /^spec\.trustedRoot: found text at tlogs\[0\]; wanted is a log$/,
  },
  {
    name: 'it is no JSON at all',
    spec: BY_REF,
    read: { field: '', found: 'text', wanted: 'JSON' },
    reason: 'InvalidTrustRoot',
    message: /^spec\.configMapRef: found text; wanted is JSON$/,
  },
]) {
  test(`a trust root says what it is, and the same a week later: ${name}`, (t) => {
    const { status } = planTrustRoot(root(spec), { read, policies: 2 }, NOW);
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    t.like(ready, { status: reason === 'Read' ? 'True' : 'False', reason });
    t.regex(ready?.message ?? '', message);
    t.like(status, { observedGeneration: 3, policies: 2 });
    t.true(isDeepEqual(planTrustRoot(root(spec, status), { read, policies: 2 }, LATER).status, status));
  });
}

test('a root that cannot be read any more does not tell what it was', (t) => {
  const { status } = planTrustRoot(root(), { read: READ, policies: 1 }, NOW);
  t.is(status.digest, 'sha256:r1');
  const gone = planTrustRoot(root(BY_REF, status), { read: undefined, policies: 1 }, LATER).status;
  t.is(gone.digest, undefined);
  t.is(gone.parts, undefined);
});

function saidOf(namespace: string, image: string, outcome: string): KubeObject {
  const said = {
    kind: CLUSTER,
    name: 'signed',
    outcome,
    ...(outcome === 'Refused' && { reason: 'NoSignature' }),
  };
  const about = { metadata: { name: 'v', namespace }, spec: { image }, status: { policies: [said] } };
  return { ...verdict(), ...about };
}

const blasts: Readonly<
  Record<string, { enforcement: string; verdicts: readonly KubeObject[]; says: RegExp }>
> = {
  'nothing that it is about': {
    enforcement: 'Enforce',
    verdicts: [verdict([CLUSTER, 'other', 'Refused'])],
    says: /^images are verified by it; none that is in use is of the repositories and namespaces that it is for$/,
  },
  'what enforcing would come to': {
    enforcement: 'Warn',
    verdicts: [
      saidOf('b', 'r/y:1', 'Refused'),
      saidOf('a', 'r/x:1', 'Refused'),
      saidOf('a', 'r/z:1', 'Verified'),
    ],
    says: /no new pod would start of 2 of 3 images in use, such as "r\/x:1" in namespace a \(NoSignature\)$/,
  },
  'what enforcing would come to where one image is in use': {
    enforcement: 'Warn',
    verdicts: [saidOf('a', 'r/x:1', 'Refused')],
    says: /no new pod would start of 1 of 1 image in use, such as "r\/x:1" in namespace a \(NoSignature\)$/,
  },
  'nothing would be refused': {
    enforcement: 'Warn',
    verdicts: [saidOf('a', 'r/z:1', 'Verified')],
    says: /^images are verified by it$/,
  },
  'it is enforced': {
    enforcement: 'Enforce',
    verdicts: [saidOf('a', 'r/x:1', 'Refused')],
    says: /^images are verified by it$/,
  },
};

for (const [title, { enforcement, verdicts, says }] of Object.entries(blasts)) {
  test(`a policy tells what it comes to: ${title}`, (t) => {
    const object = { ...policy(), spec: { enforcement } } as unknown as Policy;
    const { status } = planImagePolicy(object, seen({ verdicts }), NOW);
    const [ready] = status?.conditions ?? [];
    t.like(ready, { type: 'Ready', status: 'True', reason: 'InForce' });
    t.regex(ready?.message ?? '', says);
    const same = planImagePolicy({ ...object, status }, seen({ verdicts: verdicts.toReversed() }), LATER);
    t.deepEqual(same.status, status, 'in whatever order they come');
  });
}
