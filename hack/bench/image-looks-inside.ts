// SPDX-License-Identifier: Apache-2.0
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { inputsDigest, type PolicyInputs } from '#operator/core/images/inputs';
import type { ImageQuestion } from '#operator/core/images/verification';
import { imageWorks, type RunningWorks } from '#operator/image-verification/works';
import { RegistryClient } from '#operator/oci/client';
import { createLog } from '#operator/telemetry/log';
import { createMetrics } from '#operator/telemetry/metrics';
import type { LookedAt, ToLookAt } from './image-looks.ts';
import { judgesOf } from './judge-watch.ts';
import { OwnStalls } from './own-stalls.ts';
import { cpuSeconds } from './process-time.ts';

/** Who asks, in turns. */
const TENANTS = 4;
/** In milliseconds: how often the loop is looked at, which is part of what is then told. */
const LOOK_MS = 1;
const NANOSECONDS = 1e6;

/** Time of the processor, in milliseconds. */
interface Spent {
  readonly loopMs: number;
  readonly othersMs: number;
  readonly judge: number | undefined;
}

async function lookAtAll({ registries, policy, warmUp, images }: ToLookAt): Promise<LookedAt> {
  const registry = new RegistryClient({ registries });
  const metrics = createMetrics();
  const works = imageWorks({ registry, client: NOBODY, metrics, log: createLog({ level: 'silent' }) });
  try {
    const asked = questionsOn([...warmUp, ...images], policy);
    await lookAt(works, asked.slice(0, warmUp.length));
    return await watched(() => lookAt(works, asked.slice(warmUp.length)));
  } finally {
    await works.close();
    await registry.close();
  }
}

/** There are no pull secrets, so nobody asks for any. */
const NOBODY = { get: () => Promise.resolve(undefined) };

/** `look` says in how many seconds it was done. */
async function watched(look: () => Promise<number>): Promise<LookedAt> {
  const loop = monitorEventLoopDelay({ resolution: LOOK_MS });
  const before = await spent();
  const own = new OwnStalls();
  loop.enable();
  const seconds = await look();
  loop.disable();
  const ownStalls = own.stop();
  const after = await spent();
  const stall = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - LOOK_MS);
  return {
    seconds,
    stalls: { longest: stall(loop.max), p99: stall(loop.percentile(99)) },
    ownStalls,
    loopMs: after.loopMs - before.loopMs,
    othersMs: after.judge === before.judge ? after.othersMs - before.othersMs : Number.NaN,
  };
}

async function spent(): Promise<Spent> {
  const own = process.threadCpuUsage();
  const all = process.cpuUsage();
  const loopMs = (own.user + own.system) / 1000;
  const [judge] = await judgesOf(process.pid);
  const judgeMs = judge === undefined ? 0 : (await cpuSeconds(judge)) * 1000;
  return { loopMs, othersMs: (all.user + all.system) / 1000 - loopMs + judgeMs, judge };
}

/** By turns of some tenants. The digest of a policy is made once, as in the operator (ImagePolicies). */
function questionsOn(images: readonly string[], inputs: PolicyInputs): readonly ImageQuestion[] {
  const digest = inputsDigest(inputs);
  return images.map((image, number) => {
    const tenant = `tenant-${number % TENANTS}`;
    return {
      key: image,
      verdict: `${tenant}/${image}`,
      namespace: tenant,
      tenant,
      image,
      pullSecrets: [],
      policies: [{ uid: 'bench', digest, inputs }],
      freshMs: 3_600_000,
    };
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

// A process that looks at images as the operator does, and at nothing else. It is told which by the one that started it, says once how that went, and
// ends with it.
process.once('disconnect', () => process.exit());
process.once('message', (toLookAt) => {
  lookAtAll(toLookAt as ToLookAt).then(
    (looked) => process.send?.(looked),
    (error: unknown) => {
      process.exitCode = 1;
      process.stderr.write(`${error instanceof Error ? error.message : 'something was thrown'}\n`);
      process.disconnect();
    },
  );
});
