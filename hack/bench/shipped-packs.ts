// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { evaluateHere, type Evaluation, HereSession } from '#operator/policy/evaluate-here';
import { verifyModule } from '#operator/policy/module';
import { compilePack } from '#operator/rego/compile';
import { toolchainAt } from '#operator/rego/toolchain';
import { PACKS_FOLDER, readShippedPacks } from '../policy-packs/packs.ts';
import { readPack } from '#nexusctl/pack/folder';
import { ensureTools } from '../tools/build.ts';
import { DECISION, podReview } from './policy-packs.ts';
import type { Figure } from './report.ts';
import { percentile } from './statistics.ts';

const ROOT = join(import.meta.dirname, '../..');
const ROUNDS = 3000;
const WARM_UP = 500;

/** What each pack that we ship costs, with its defaults, on the same pod. */
export async function measureShippedPacks(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const { name } of readShippedPacks(ROOT)) {
    const samples = samplesOf(await loaded(name));
    figures.push({
      name: `shipped pack ${name}: p95`,
      value: percentile(samples, 0.95),
      unit: 'ms',
      bar: { atMost: 0.5 },
    });
  }
  return figures;
}

async function loaded(name: string): Promise<Evaluation> {
  const { opa } = await ensureTools(['opa']);
  const { run, capabilities } = toolchainAt(opa);
  const { source } = await readPack(join(ROOT, PACKS_FOLDER, name));
  const made = await compilePack(source, { run, capabilities: await capabilities() });
  if (made.kind === 'refused') throw new Error(JSON.stringify(made.problems));
  const { wasm, data } = made.pack;
  const verification = verifyModule(wasm);
  if (verification.kind === 'refused') throw new Error(JSON.stringify(verification.faults));
  const digest = `sha256:${createHash('sha256')
    .update(data ?? '')
    .digest('hex')}`;
  return {
    module: verification.module,
    entrypoint: DECISION,
    input: podInput(),
    ...(data !== undefined && { data: { digest, bytes: data } }),
    nowNs: 0n,
    deadlineMs: 50,
    memoryMiB: 16,
    tenant: undefined,
  };
}

/** The review of the other measurements, without parameters: those that it has are of other packs. */
function podInput(): Uint8Array {
  const input = JSON.parse(new TextDecoder().decode(podReview())) as object;
  return new TextEncoder().encode(JSON.stringify({ ...input, parameters: {} }));
}

function samplesOf(evaluation: Evaluation): readonly number[] {
  const session = new HereSession();
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
    const startedAt = performance.now();
    const verdict = evaluateHere(evaluation, session);
    if (verdict.kind !== 'value') throw new Error(JSON.stringify(verdict));
    if (round >= WARM_UP) samples.push(performance.now() - startedAt);
  }
  return samples;
}
