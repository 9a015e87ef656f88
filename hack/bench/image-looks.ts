// SPDX-License-Identifier: Apache-2.0
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { inputsDigest, type PolicyInputs } from '#operator/core/images/inputs';
import type { ImageQuestion } from '#operator/core/images/verification';
import { imageWorks, type RunningWorks } from '#operator/image-verification/works';
import { RegistryClient } from '#operator/oci/client';
import { createLog } from '#operator/telemetry/log';
import { createMetrics } from '#operator/telemetry/metrics';
import { type ImageSupply, REPOSITORY, ROOT } from './image-supply.ts';
import { judgesOf } from './judge-watch.ts';
import { OwnStalls } from './own-stalls.ts';
import { cpuSeconds } from './process-time.ts';
import { named } from './run-world.ts';
import type { Figure } from './report.ts';

const IMAGES = 200;
/** Not counted: code is compiled meanwhile. */
const WARM_UP = 60;
const TENANTS = 4;
/** In milliseconds: how often the loop is looked at, which is part of what is then told. */
const LOOK_MS = 1;
const NANOSECONDS = 1e6;

/** Time of the processor, in milliseconds. */
interface Spent {
  /** Of the thread that everything else of the operator is done in. */
  readonly loopMs: number;
  /** Of other threads, and of the process that judges. */
  readonly othersMs: number;
  /** That process: what another one took says nothing of it. */
  readonly judge: number | undefined;
}

/**
 * What verification of images that nobody has looked at yet costs the thread that it is beside: registries are asked, answers are read, and held
 * against digests there; signatures are checked elsewhere. In this process, which does nothing else meanwhile.
 */
export async function measureLooks(supply: ImageSupply): Promise<readonly Figure[]> {
  const digests = await supply.images(named('look', IMAGES + WARM_UP));
  const registry = new RegistryClient({ registries: supply.hosts });
  const metrics = createMetrics();
  const works = imageWorks({ registry, client: NOBODY, metrics, log: createLog({ level: 'silent' }) });
  try {
    const policy = policyOf(supply);
    const asked = { host: supply.registry.host, policy, digest: inputsDigest(policy) };
    const questions = questionsOn(digests, asked);
    await lookAt(works, questions.slice(0, WARM_UP));
    const loop = monitorEventLoopDelay({ resolution: LOOK_MS });
    const before = await spent();
    const own = new OwnStalls();
    loop.enable();
    const seconds = await lookAt(works, questions.slice(WARM_UP));
    loop.disable();
    const ownStalls = own.stop();
    const after = await spent();
    const stall = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - LOOK_MS);
    return [
      { name: 'keyless images that nobody has looked at', value: IMAGES / seconds, unit: '/s' },
      {
        name: '... longest stall of the thread beside it',
        value: stall(loop.max),
        unit: 'ms',
        bar: { atMost: 10 },
      },
      { name: '... p99 of its stalls', value: stall(loop.percentile(99)), unit: 'ms' },
      {
        name: '... longest stall of its own, of a processor',
        value: ownStalls.longest,
        unit: 'ms',
        bar: { atMost: 10 },
      },
      { name: '... p99 of these', value: ownStalls.p99, unit: 'ms' },
      { name: '... processor time of it', value: (after.loopMs - before.loopMs) / IMAGES, unit: 'ms' },
      {
        name: '... processor time of other threads, and of the process that judges',
        value: after.judge === before.judge ? (after.othersMs - before.othersMs) / IMAGES : Number.NaN,
        unit: 'ms',
      },
    ];
  } finally {
    await works.close();
    await registry.close();
  }
}

/** There are no pull secrets, so nobody asks for any. */
const NOBODY = { get: () => Promise.resolve(undefined) };

function policyOf({ policy, sigstore }: ImageSupply): PolicyInputs {
  const spec: ImagePolicySpec = policy;
  return { spec, roots: { [ROOT]: JSON.stringify(sigstore.trustedRoot) }, keys: {}, waivers: [] };
}

async function spent(): Promise<Spent> {
  const own = process.threadCpuUsage();
  const all = process.cpuUsage();
  const loopMs = (own.user + own.system) / 1000;
  const [judge] = await judgesOf(process.pid);
  const judgeMs = judge === undefined ? 0 : (await cpuSeconds(judge)) * 1000;
  return { loopMs, othersMs: (all.user + all.system) / 1000 - loopMs + judgeMs, judge };
}

/** By what images are asked about: the digest of a policy is made once, as in the operator (ImagePolicies). */
interface AskedBy {
  readonly host: string;
  readonly policy: PolicyInputs;
  readonly digest: string;
}

/** By turns of some tenants. */
function questionsOn(digests: readonly string[], { host, ...by }: AskedBy): readonly ImageQuestion[] {
  return digests.map((digest, number) => {
    const image = `${host}/${REPOSITORY}@${digest}`;
    return questionOf({ image, tenant: `tenant-${number % TENANTS}`, ...by });
  });
}

/** Has images looked at. In how many seconds that is done. @throws Error where one is not as asked. */
async function lookAt({ verifier }: RunningWorks, asked: readonly ImageQuestion[]): Promise<number> {
  const questions = new Map(asked.map((question) => [question.verdict, question]));
  const left = new Set(questions.keys());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  verifier.onDone((verdict) => {
    const question = questions.get(verdict);
    if (question === undefined || !left.delete(verdict)) return;
    const answer = verifier.ask(question);
    const said = answer.kind === 'known' ? answer.findings.verdicts.get('bench') : undefined;
    if (said?.outcome !== 'Verified')
      reject(new Error(`${question.image}: ${said?.reason} ${said?.message}`));
    if (left.size === 0) resolve();
  });
  const startedAt = performance.now();
  for (const question of questions.values()) verifier.ask(question);
  await promise;
  return (performance.now() - startedAt) / 1000;
}

function questionOf({
  image,
  tenant,
  policy,
  digest,
}: {
  readonly image: string;
  readonly tenant: string;
  readonly policy: PolicyInputs;
  readonly digest: string;
}): ImageQuestion {
  return {
    key: image,
    verdict: `${tenant}/${image}`,
    namespace: tenant,
    tenant,
    image,
    pullSecrets: [],
    policies: [{ uid: 'bench', digest, inputs: policy }],
    freshMs: 3_600_000,
  };
}
