// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImagePolicyFacts } from '#operator/core/images/policy';
import { createMetrics } from '#operator/telemetry/metrics';
import type { AdmissionRequest } from '../review.ts';
import { ImageJudge } from './image-judge.ts';
import { imageMetrics } from './metrics.ts';
import { DIGEST, PlayedVerifier, proofOf } from './testing/verdicts.ts';
import { VerdictBook } from './verdict-book.ts';
import { WantedImages } from './wanted-images.ts';

const now = new Date('2026-11-23T12:00:00Z');
const IMAGE = 'registry.example/app:1';
const PINNED = `${IMAGE}@${DIGEST}`;
const verifier = new PlayedVerifier();

const policy: ImagePolicyFacts = {
  kind: 'ClusterImagePolicy',
  name: 'signed',
  uid: 'u1',
  generation: 1,
  images: ['registry.example/*'],
  namespaceSelector: { matchLabels: { team: 'yes' } },
  enforcement: 'Enforce',
  unknown: 'Deny',
  maxAgeSeconds: 3600,
};

interface World {
  readonly judge: ImageJudge;
  readonly wanted: WantedImages;
  readonly verdicts: VerdictBook;
}

function world(policies: readonly ImagePolicyFacts[] = [policy], isKnown = true): World {
  const verdicts = new VerdictBook();
  verdicts.setKeys(verifier.configMap);
  if (isKnown) verdicts.set(verifier.verdict('v', proofOf(now)));
  const wanted = new WantedImages(() => undefined);
  const { factory } = createMetrics({ process: false });
  const judge = new ImageJudge({
    policies: () => policies,
    labelsOf: (name) => ({ team: { team: 'yes' }, plain: {} })[name],
    verdicts,
    wanted,
    metrics: imageMetrics(factory, { believed: () => 0, untrusted: () => 0, wanted: () => 0 }),
    now: () => now,
  });
  return { judge, wanted, verdicts };
}

const pod = (image: string, more: object = {}): object => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image }], ...more },
});

function request(object: object, change: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: '1',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    name: 'p',
    namespace: 'team',
    operation: 'CREATE',
    userInfo: { username: 'u', groups: [] },
    object: object as AdmissionRequest['object'],
    oldObject: null,
    dryRun: false,
    ...change,
  };
}

const deployment = (image: string, change: Partial<AdmissionRequest> = {}): AdmissionRequest =>
  request(
    { metadata: { name: 'd' }, spec: { template: { spec: { containers: [{ name: 'c', image }] } } } },
    { resource: { group: 'apps', version: 'v1', resource: 'deployments' }, ...change },
  );

test('a pod of a known image is named by its digest, and then admitted', (t) => {
  const { judge } = world();
  const { patch = [] } = judge.pin(request(pod(IMAGE)));
  t.like(patch.at(-1), { path: '/spec/containers/0/image', value: PINNED });
  t.true(judge.decide(request(pod(PINNED))).allowed);
  t.deepEqual(judge.pin(request(pod(PINNED))).patch ?? [], []);
});

test('named by a tag it is not admitted, though the image is known: the tag may move', (t) => {
  const answer = world().judge.decide(request(pod(IMAGE)));
  t.false(answer.allowed);
  t.is(answer.refusals[0]?.retryAfterSeconds, 1);
});

test('what others fill in into annotations stays', (t) => {
  const { judge } = world();
  const before = [{ op: 'add', path: '/metadata/annotations', value: {} } as const];
  const { patch = [] } = judge.pin(request(pod(IMAGE)), before);
  t.false(patch.some(({ path }) => path === '/metadata/annotations'));
});

test('a pod of an image that nobody knows is asked to wait, and the operator is told', (t) => {
  const { judge, wanted } = world([policy], false);
  const answer = judge.decide(request(pod(IMAGE)));
  t.false(answer.allowed);
  t.like(answer.refusals[0], { code: 'dependency_unavailable', retryAfterSeconds: 1 });
  t.deepEqual(wanted.list(now.getTime()), [{ namespace: 'team', image: IMAGE }]);
  t.regex(answer.auditAnnotations['images'] ?? '', /spec\.containers\[0\]\.image=BeingVerified/);
});

test('a dry run has no effect', (t) => {
  const { judge, wanted } = world([policy], false);
  t.false(judge.decide(request(pod(IMAGE), { dryRun: true })).allowed);
  t.deepEqual(wanted.list(now.getTime()), []);
});

test('what makes pods is warned of, never refused, and never changed', (t) => {
  const { judge, wanted } = world([policy], false);
  const answer = judge.decide(deployment(IMAGE));
  t.true(answer.allowed);
  t.regex(answer.warnings[0] ?? '', /being verified/);
  t.is(wanted.list(now.getTime()).length, 1);
  t.deepEqual(world().judge.pin(deployment(IMAGE)).patch ?? [], []);
  t.deepEqual(world().judge.decide(deployment(IMAGE)).warnings, []);
});

test('containers for looking into a pod, those before it, and volumes are judged as well', (t) => {
  const { judge } = world();
  const evil = 'registry.example/evil:1';
  for (const more of [
    { ephemeralContainers: [{ name: 'e', image: evil }] },
    { initContainers: [{ name: 'i', image: evil }] },
    { volumes: [{ name: 'v', image: { reference: evil } }] },
  ]) {
    t.false(judge.decide(request(pod(PINNED, more))).allowed, JSON.stringify(more));
  }
  const brought = request(pod(PINNED, { ephemeralContainers: [{ name: 'e', image: IMAGE }] }), {
    operation: 'UPDATE',
    subResource: 'ephemeralcontainers',
    oldObject: pod(PINNED) as AdmissionRequest['object'],
  });
  t.false(judge.decide(brought).allowed);
  t.deepEqual(
    judge.pin(brought).patch,
    [{ op: 'replace', path: '/spec/ephemeralContainers/0/image', value: PINNED }],
    'of that part of a pod the API server keeps no annotations',
  );
});

test('what was let in once can be changed otherwise, scaled and deleted', (t) => {
  const { judge } = world([policy], false);
  const oldObject = pod(IMAGE) as AdmissionRequest['object'];
  t.true(judge.decide(request(pod(IMAGE), { operation: 'UPDATE', oldObject })).allowed);
  t.true(judge.decide(request(pod(IMAGE), { operation: 'DELETE' })).allowed);
  t.true(judge.decide(request(pod(IMAGE), { operation: 'UPDATE', subResource: 'status' })).allowed);
  const same = deployment(IMAGE, { operation: 'UPDATE', oldObject: deployment(IMAGE).object });
  t.deepEqual(judge.decide(same).warnings, []);
});

test('where no policy is for the namespace nothing is asked; where that cannot be told, nothing passes', (t) => {
  const { judge } = world([policy], false);
  t.true(judge.decide(request(pod(IMAGE), { namespace: 'plain' })).allowed);
  t.false(judge.decide(request(pod(IMAGE), { namespace: 'new' })).allowed);
  t.true(judge.decide(deployment(IMAGE, { namespace: 'new' })).allowed);
  t.true(world([], false).judge.decide(request(pod(IMAGE), { namespace: 'new' })).allowed);
});

test('a tenant adds, and takes nothing away', (t) => {
  const own: ImagePolicyFacts = {
    ...policy,
    kind: 'ImagePolicy',
    namespace: 'team',
    name: 'own',
    uid: 'u2',
    enforcement: 'Warn',
    unknown: 'Allow',
  };
  const { judge } = world([policy, own], false);
  t.false(judge.decide(request(pod(IMAGE))).allowed);
  const strict = world([policy, { ...own, enforcement: 'Enforce' }]);
  t.false(strict.judge.decide(request(pod(PINNED))).allowed);
});

test('a cached verdict costs a tenth of a millisecond of a processor at most', (t) => {
  const { judge } = world();
  const asked = request(pod(PINNED));
  for (let index = 0; index < 500; index += 1) judge.decide(asked);
  const rounds = 2000;
  const from = process.threadCpuUsage();
  for (let index = 0; index < rounds; index += 1) judge.decide(asked);
  const { user, system } = process.threadCpuUsage(from);
  t.true((user + system) / rounds <= 100, `${(user + system) / rounds} microseconds`);
});

test('of an image that is refused the operator is told, by the name that its verdict has', (t) => {
  const verdicts = (change: Partial<ImagePolicyFacts>) => {
    const made = world([{ ...policy, ...change }], false);
    const refusal = { outcome: 'Refused', reason: 'NoSignature' } as const;
    made.verdicts.set(verifier.verdict('v', proofOf(now, {}, refusal)));
    return made;
  };
  const enforced = verdicts({});
  t.false(enforced.judge.decide(request(pod(IMAGE), { dryRun: true })).allowed);
  t.deepEqual(enforced.wanted.list(now.getTime()), [], 'a dry run has no effect');
  const told = { namespace: 'team', image: IMAGE, refusedAt: now.toISOString() };
  for (const image of [IMAGE, PINNED]) {
    t.false(enforced.judge.decide(request(pod(image))).allowed);
    t.deepEqual(enforced.wanted.list(now.getTime()), [told]);
  }
  const warned = verdicts({ enforcement: 'Warn' });
  t.true(warned.judge.decide(request(pod(IMAGE))).allowed);
  t.deepEqual(warned.wanted.list(now.getTime()), [], 'who is only warned waits for nothing');
});
