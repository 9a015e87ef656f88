// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { ImagePolicyFacts } from '#operator/core/images/policy';
import type { PolicyVerdict } from '#operator/core/images/proof';
import type { KubeObject } from '#operator/core/object';
import { signProof } from '#operator/supply-chain/signed-proof';
import { createMetrics } from '#operator/telemetry/metrics';
import { ImageJudge } from '#webhooks/images/image-judge';
import { imageMetrics } from '#webhooks/images/metrics';
import { VerdictBook } from '#webhooks/images/verdict-book';
import { WantedImages } from '#webhooks/images/wanted-images';
import type { AdmissionRequest } from '#webhooks/review';
import { processorMs } from '../tools/processor-time.ts';
import type { Figure } from './report.ts';

const NAMESPACE = 'team-a-main';
/** As many as a namespace may have. */
const VERDICTS = 512;
const POLICIES = 4;
const DECISIONS = 50_000;
const WARM_UP = 5000;
const HOUR_MS = 3_600_000;

/** What it costs to say whether a pod may run, of whose images all is known: from a namespace full of verdicts, by four policies. */
export function measureDecisions(): readonly Figure[] {
  const now = new Date();
  const policies = Array.from({ length: POLICIES }, (_, number) => policyOf(number));
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const verdicts = new VerdictBook();
  const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  verdicts.setKeys({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'keys' }, data: { pem } });
  for (let number = 0; number < VERDICTS; number += 1) {
    verdicts.set(verdictOf(number, { now, policies, key: pair.privateKey }));
  }
  if (verdicts.size !== VERDICTS) throw new Error(`${verdicts.size} of ${VERDICTS} verdicts are believed`);
  const judge = judgeBy(policies, verdicts, now);
  const requests = Array.from({ length: VERDICTS }, (_, number) => requestOf(number));
  const decide = (count: number) => () => {
    for (let number = 0; number < count; number += 1) {
      const answer = judge.decide(requests[number % VERDICTS] ?? requestOf(0));
      if (!answer.allowed) throw new Error(JSON.stringify(answer));
    }
  };
  processorMs(decide(WARM_UP));
  const spentMs = processorMs(decide(DECISIONS));
  return [
    {
      name: `a pod of a known image, ${POLICIES} policies, ${VERDICTS} verdicts: the decision, of a processor`,
      value: spentMs / DECISIONS,
      unit: 'ms',
      bar: { atMost: 0.1 },
    },
  ];
}

function policyOf(number: number): ImagePolicyFacts {
  return {
    kind: 'ClusterImagePolicy',
    name: `signed-${number}`,
    uid: `uid-${number}`,
    generation: 1,
    images: ['registry.example/*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
  };
}

function digestOf(number: number): string {
  return `sha256:${createHash('sha256').update(String(number)).digest('hex')}`;
}

function imageOf(number: number): string {
  return `registry.example/team/app-${number}:1@${digestOf(number)}`;
}

interface Proven {
  readonly now: Date;
  readonly policies: readonly ImagePolicyFacts[];
  readonly key: Parameters<typeof signProof>[1]['key'];
}

function verdictOf(number: number, { now, policies, key }: Proven): KubeObject {
  const image = imageOf(number);
  const told = policies.map(({ kind, name, uid, generation }): PolicyVerdict => {
    const message = 'all that is asked for was verified';
    return { kind, name, uid, generation, digest: digestOf(-1), outcome: 'Verified', message };
  });
  const proof = signProof(
    {
      namespace: NAMESPACE,
      image,
      digest: digestOf(number),
      verifiedAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + HOUR_MS).toISOString(),
      policies: told,
    },
    { verifier: { id: 'https://nexusos.dev/operator', version: '1' }, key },
  );
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageVerdict',
    metadata: { name: `v-${number}`, namespace: NAMESPACE },
    spec: { image },
    status: { proof },
  };
}

function nothing(): number {
  return 0;
}

function judgeBy(policies: readonly ImagePolicyFacts[], verdicts: VerdictBook, now: Date): ImageJudge {
  const { factory } = createMetrics();
  return new ImageJudge({
    policies: () => policies,
    labelsOf: () => ({}),
    verdicts,
    wanted: new WantedImages(() => undefined),
    metrics: imageMetrics(factory, { believed: nothing, untrusted: nothing, wanted: nothing }),
    now: () => now,
  });
}

function requestOf(number: number): AdmissionRequest {
  return {
    uid: '1',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    name: 'tried',
    namespace: NAMESPACE,
    operation: 'CREATE',
    userInfo: { username: 'jane', groups: ['system:authenticated'] },
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'tried', namespace: NAMESPACE },
      spec: { containers: [{ name: 'agent', image: imageOf(number) }] },
    },
    oldObject: null,
    dryRun: false,
  };
}
