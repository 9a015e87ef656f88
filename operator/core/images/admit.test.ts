// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { UNKNOWNS } from '../supply-chain/judgement.ts';
import { type ImagesJudged, judgeImages } from './admit.ts';
import { answerForPod, answerForTemplate, pinSteps } from './answer.ts';
import { type ImagePolicyFacts, policiesFor } from './policy.ts';
import type { PolicyVerdict, Proof } from './proof.ts';
import { knownBy, SIGNED, VERIFIED } from './testing/known.ts';

const now = new Date('2026-11-23T12:00:00Z');
const at = (seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();
const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const IMAGE = 'registry.example/team/app:1';

const policy = SIGNED;
const verdict = VERIFIED;
const refusedVerdict: PolicyVerdict = {
  ...verdict,
  outcome: 'Refused',
  reason: 'NoSignature',
  message: 'nothing is attached',
};
const unknownVerdict: PolicyVerdict = {
  ...verdict,
  outcome: 'Unknown',
  reason: 'RegistryUnreachable',
  message: 'no answer',
};

const proof = (change: Partial<Proof> = {}, of: Partial<PolicyVerdict> = {}): Proof => ({
  namespace: 'team',
  image: IMAGE,
  digest: DIGEST,
  verifiedAt: at(-60),
  expiresAt: at(60),
  policies: [{ ...verdict, ...of }],
  ...change,
});

interface Case {
  readonly image?: string;
  readonly policies?: readonly ImagePolicyFacts[];
  readonly proofs?: readonly Proof[];
  /** The codes and reasons of refusals; `ok` where it passes. */
  readonly want: string;
  readonly pins?: boolean;
  readonly wanted?: boolean;
}

function judged({
  image = IMAGE,
  policies = [policy],
  proofs = [proof()],
}: Omit<Case, 'want'>): ImagesJudged {
  return judgeImages({
    uses: [{ field: 'spec.containers[0].image', image }],
    policies,
    known: knownBy(proofs),
    now,
  });
}

const second: ImagePolicyFacts = { ...policy, name: 'second', uid: 'u2' };

/** What a registry did not answer us, and nobody else could cause who may write to it. */
const ALLOWED: ReadonlySet<string> = new Set(['RegistryUnreachable', 'RegistryThrottled', 'RegistryRefused']);

const cases: Readonly<Record<string, Case>> = {
  verified: { want: 'ok', pins: true },
  'kept from before, and not too old for the policy': {
    proofs: [proof({}, { verifiedAt: at(-3599) })],
    want: 'ok',
    pins: true,
  },
  'kept from before, and too old for the policy, whatever else was found since': {
    proofs: [proof({}, { verifiedAt: at(-3600) })],
    want: 'Pending',
    wanted: true,
  },
  'verified, named by its digest as well': { image: `${IMAGE}@${DIGEST}`, want: 'ok' },
  'verified, named by its digest alone': { image: `registry.example/team/app@${DIGEST}`, want: 'ok' },
  'verified, and another digest is named': { image: `${IMAGE}@${OTHER}`, want: 'Pending', wanted: true },
  'another tag': { image: 'registry.example/team/app:2', want: 'Pending', wanted: true },
  'no tag means latest': {
    image: 'registry.example/team/app',
    proofs: [proof({ image: 'registry.example/team/app:latest' })],
    want: 'ok',
    pins: true,
  },
  'a host in capitals is the same host': { image: 'Registry.Example/team/app:1', want: 'ok', pins: true },
  'an image that no policy is about': { image: 'other.example/app:1', proofs: [], want: 'ok' },
  'an image that begins as one that a policy is about': {
    image: 'registry.example.evil/app:1',
    proofs: [],
    want: 'ok',
  },
  'no policy': { policies: [], proofs: [], want: 'ok' },
  'nothing is known': { proofs: [], want: 'Pending', wanted: true },
  'nothing is known, though what is not known is let in': {
    policies: [{ ...policy, unknown: 'Allow' }],
    proofs: [],
    want: 'Pending',
    wanted: true,
  },
  refused: { proofs: [proof({ policies: [refusedVerdict] })], want: 'Refused NoSignature' },
  'refused by a policy that warns': {
    policies: [{ ...policy, enforcement: 'Warn' }],
    proofs: [proof({ policies: [refusedVerdict] })],
    want: 'warned NoSignature',
  },
  'verified by a policy that warns stays as it is written': {
    policies: [{ ...policy, enforcement: 'Warn' }],
    want: 'ok',
  },
  'not known': { proofs: [proof({ policies: [unknownVerdict] })], want: 'Unknown RegistryUnreachable' },
  'not known, and that is let in': {
    policies: [{ ...policy, unknown: 'Allow' }],
    proofs: [proof({ policies: [unknownVerdict] })],
    want: 'ok',
    pins: true,
  },
  'named by a digest that nobody could look at: that says why, and is no wait without end': {
    image: `${IMAGE}@${OTHER}`,
    proofs: [
      { ...proof({ image: `${IMAGE}@${OTHER}`, policies: [unknownVerdict] }), digest: undefined as never },
    ],
    want: 'Unknown RegistryUnreachable',
  },
  'not even its digest is known, and that is let in': {
    policies: [{ ...policy, unknown: 'Allow' }],
    proofs: [{ ...proof({ policies: [unknownVerdict] }), digest: undefined as never }],
    want: 'ok',
  },
  'a verdict on what the policy said before': {
    proofs: [proof({}, { generation: 2 })],
    want: 'Pending',
    wanted: true,
  },
  'a verdict of a policy of that name that is gone': {
    proofs: [proof({}, { uid: 'u0' })],
    want: 'Pending',
    wanted: true,
  },
  'a verdict that has just expired': { proofs: [proof({ expiresAt: at(0) })], want: 'Pending', wanted: true },
  'a verdict that time has changed': {
    proofs: [proof({}, { validUntil: at(0) })],
    want: 'Pending',
    wanted: true,
  },
  'a verdict that time is about to change': {
    proofs: [proof({}, { validUntil: at(1) })],
    want: 'ok',
    pins: true,
  },
  'a verdict older than the policy lets one be': {
    policies: [{ ...policy, maxAgeSeconds: 60 }],
    want: 'Pending',
    wanted: true,
  },
  'a refusal that has expired is no refusal any more': {
    proofs: [proof({ expiresAt: at(0), policies: [refusedVerdict] })],
    want: 'Pending',
    wanted: true,
  },
  'two policies, one of which nobody has looked by': {
    policies: [policy, second],
    want: 'Pending',
    wanted: true,
    pins: true,
  },
  'two policies, one of which refuses': {
    policies: [policy, second],
    proofs: [proof({ policies: [verdict, { ...refusedVerdict, uid: 'u2', name: 'second' }] })],
    want: 'Refused NoSignature',
    pins: true,
  },
  'no name of an image': { image: 'UPPER/Case', proofs: [], want: 'Refused InvalidReference' },
  'an identifier': { image: 'a'.repeat(64), proofs: [], want: 'Refused InvalidReference' },
  ...Object.fromEntries(
    Object.keys(UNKNOWNS).map((reason): [string, Case] => [
      `what is not known is let in, and it is ${reason}`,
      {
        policies: [{ ...policy, unknown: 'Allow' }],
        proofs: [proof({ policies: [{ ...unknownVerdict, reason }] })],
        want: ALLOWED.has(reason) ? 'ok' : `Unknown ${reason}`,
        pins: ALLOWED.has(reason),
      },
    ]),
  ),
};

for (const [title, { want, pins = false, wanted = false, ...given }] of Object.entries(cases)) {
  test(`an image passes where every policy that is about it is content: ${title}`, (t) => {
    const result = judged(given);
    const found = result.findings.map(({ kind, reason, policy: by }) => {
      const word = by.enforcement === 'Warn' ? 'warned' : kind;
      return kind === 'Pending' ? word : `${word} ${reason}`;
    });
    t.is(found.join(', ') || 'ok', want, JSON.stringify(result.findings));
    t.is(result.digests.size > 0, pins);
    t.is(result.wanted.length > 0, wanted);
  });
}

test('a pod is refused with the policy, the image, the field, the reason and what to do', (t) => {
  const result = judged({ proofs: [proof({ policies: [refusedVerdict] })] });
  const [refusal] = answerForPod(result, []).refusals;
  t.is(refusal?.code, 'policy_blocked');
  t.is(refusal?.field, 'spec.containers[0].image');
  t.is(refusal?.retryAfterSeconds, undefined);
  t.is(
    refusal?.message,
    `ClusterImagePolicy signed: image "registry.example/team/app:1" (${DIGEST}) at spec.containers[0].image is refused, NoSignature: nothing is attached; sign this digest as the policy asks, or run an image that is`,
  );
});

test('a pod of what nobody has looked at yet is asked to come again', (t) => {
  const [refusal] = answerForPod(judged({ proofs: [] }), []).refusals;
  t.is(refusal?.code, 'dependency_unavailable');
  t.is(refusal?.retryAfterSeconds, 1);
  t.regex(refusal?.message ?? '', /is being verified; ask again in a second/);
});

test('a pod of what cannot be told is refused as that, and not asked to hurry', (t) => {
  const [refusal] = answerForPod(judged({ proofs: [proof({ policies: [unknownVerdict] })] }), []).refusals;
  t.is(refusal?.code, 'dependency_unavailable');
  t.is(refusal?.retryAfterSeconds, undefined);
  t.regex(refusal?.message ?? '', /is not known, RegistryUnreachable: no answer; it is asked again/);
});

test('a pod that names what was verified by a tag does not run as that', (t) => {
  const uses = [{ field: 'spec.containers[0].image', image: IMAGE }];
  const result = judged({});
  t.like(answerForPod(result, uses), {
    refusals: [{ code: 'dependency_unavailable', retryAfterSeconds: 1 }],
  });
  const pinned = [{ field: 'spec.containers[0].image', image: `${IMAGE}@${DIGEST}` }];
  t.deepEqual(answerForPod(judged({ image: `${IMAGE}@${DIGEST}` }), pinned).refusals, []);
});

test('what makes pods is never refused, and told what will be', (t) => {
  const refused = answerForTemplate(judged({ proofs: [proof({ policies: [refusedVerdict] })] }));
  t.deepEqual(refused.refusals, []);
  t.regex(refused.warnings[0] ?? '', /^no pod of this starts: ClusterImagePolicy signed: .* NoSignature/);
  t.regex(
    answerForTemplate(judged({ proofs: [] })).warnings[0] ?? '',
    /is being verified.*pods wait for that/,
  );
  t.deepEqual(answerForTemplate(judged({})).warnings, []);
});

test('images are named by digest in the pod, and what was written is kept', (t) => {
  const uses = [
    { field: 'spec.containers[0].image', image: IMAGE },
    { field: 'spec.volumes[2].image.reference', image: IMAGE },
    { field: 'spec.containers[1].image', image: 'other:1' },
  ];
  const digests = new Map([[IMAGE, DIGEST]]);
  const annotation = 'nexusos.dev/images';
  const steps = pinSteps({ metadata: {} }, { uses, digests, annotation });
  t.deepEqual(steps, [
    { op: 'add', path: '/metadata/annotations', value: {} },
    {
      op: 'add',
      path: '/metadata/annotations/nexusos.dev~1images',
      value: JSON.stringify({ 'spec.containers[0].image': IMAGE, 'spec.volumes[2].image.reference': IMAGE }),
    },
    { op: 'replace', path: '/spec/containers/0/image', value: `${IMAGE}@${DIGEST}` },
    { op: 'replace', path: '/spec/volumes/2/image/reference', value: `${IMAGE}@${DIGEST}` },
  ]);
  t.deepEqual(pinSteps({ metadata: {} }, { uses, digests: new Map(), annotation }), []);
  const before = { [annotation]: '{"spec.containers[5].image":"x:1","odd":7}' };
  const kept = pinSteps(
    { metadata: { annotations: before } },
    { uses: uses.slice(0, 1), digests, annotation },
  );
  t.is(
    kept[0]?.value,
    JSON.stringify({ 'spec.containers[5].image': 'x:1', 'spec.containers[0].image': IMAGE }),
  );
  const odd = pinSteps(
    { metadata: { annotations: { [annotation]: 'no JSON' } } },
    { uses, digests, annotation },
  );
  t.is(odd.length, 3);
});

const selected = { ...policy, namespaceSelector: { matchLabels: { stage: 'prod' } } };
const own: ImagePolicyFacts = { ...policy, kind: 'ImagePolicy', namespace: 'team' };

for (const [title, { given, place, want }] of Object.entries({
  'of the cluster': { given: policy, place: { namespace: 'x', labels: {} }, want: true },
  selected: { given: selected, place: { namespace: 'x', labels: { stage: 'prod' } }, want: true },
  'not selected': { given: selected, place: { namespace: 'x', labels: { stage: 'dev' } }, want: false },
  'of the namespace': { given: own, place: { namespace: 'team', labels: {} }, want: true },
  'of another namespace': { given: own, place: { namespace: 'other', labels: {} }, want: false },
})) {
  test(`a policy is for a namespace: ${title}`, (t) => {
    t.is(policiesFor([given], place).length > 0, want);
  });
}

for (const { name, given, refused } of [
  { name: 'is verified', given: {}, refused: [] },
  { name: 'is refused', given: { proofs: [proof({ policies: [refusedVerdict] })] }, refused: [IMAGE] },
  {
    name: 'is refused, named by its digest alone',
    given: {
      image: `registry.example/team/app@${DIGEST}`,
      proofs: [proof({ policies: [refusedVerdict] })],
    },
    refused: [IMAGE],
  },
  {
    name: 'is warned of',
    given: {
      policies: [{ ...policy, enforcement: 'Warn' }],
      proofs: [proof({ policies: [refusedVerdict] })],
    },
    refused: [],
  },
  { name: 'is not known', given: { proofs: [proof({ policies: [unknownVerdict] })] }, refused: [] },
  { name: 'nobody can name', given: { image: 'Not An Image' }, refused: [] },
] as const) {
  test(`of an image that ${name} ${refused.length} verdicts are worth another look`, (t) => {
    t.deepEqual(judged(given).refused, refused);
  });
}
