// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { evaluateHere, type Evaluation, HereSession } from '#operator/policy/evaluate-here';
import { verifyModule } from '#operator/policy/module';
import { compilePack } from '#operator/rego/compile';
import { toolchainAt } from '#operator/rego/toolchain';
import { PACKS_FOLDER, readShippedPacks } from '../policy-packs/packs.ts';
import { readPack } from '#nexusctl/pack/folder';
import { fixedTeller } from '#nexusctl/pack/image-fixtures';
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
    const pack = await loaded(name);
    figures.push(figureOf(`shipped pack ${name}`, pack));
    if (name === 'supply-chain') {
      const asked = { ...pack, input: input(VERIFIED) };
      figures.push(figureOf(`shipped pack ${name}, all that it can ask of three verified images`, asked));
    }
  }
  return figures;
}

function figureOf(what: string, evaluation: Evaluation): Figure {
  const value = percentile(samplesOf(evaluation), 0.95);
  return { name: `${what}: p95`, value, unit: 'ms', bar: { atMost: 0.5 } };
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
    input: input({ parameters: {} }),
    ...(data !== undefined && { data: { digest, bytes: data } }),
    nowNs: 0n,
    deadlineMs: 50,
    memoryMiB: 16,
    tenant: undefined,
  };
}

/** What of the input is other than in other measurements. Their parameters are of other packs. */
interface Changes {
  readonly parameters: object;
  readonly images?: readonly object[];
}

const SOURCE = 'https://git.example/acme/app';
const BUILDER = 'https://ci.example/runner';
const FINGERPRINT = '0f';
const IMAGES = imagesOf(podReview());

/** What one policy states of each image, and parameters that ask for all of it. */
const VERIFIED: Changes = {
  parameters: {
    requireVerified: true,
    requireSbom: true,
    allowedSigners: { key: [FINGERPRINT] },
    allowedBuilders: [BUILDER],
    minBuilderLevel: 2,
    allowedSources: [SOURCE],
    deniedLicences: ['AGPL-*', 'SSPL-*'],
    maxCritical: 0,
    maxHigh: 0,
  },
  images: whatIsKnown(),
};

function whatIsKnown(): readonly object[] {
  const tell = fixedTeller(
    IMAGES.map((image) => ({ image, policies: [stated()] })),
    'the measurement',
  );
  const uses = IMAGES.map((image, index) => ({ image, field: `spec.containers[${index}].image` }));
  return tell(uses, new Date(0));
}

function stated(): object {
  const counts = { critical: 0, high: 0, medium: 3, low: 9, unscored: 0, excluded: 0, waived: 0 };
  const licences = ['MIT', 'Apache-2.0', 'BSD-3-Clause'].map((licence) => ({ licence, components: 90 }));
  return {
    name: 'release',
    signers: [{ authority: 'ci', fingerprint: FINGERPRINT, states: ['signature'] }],
    provenance: { by: 'ci', builder: BUILDER, buildType: '', source: SOURCE, level: 3 },
    sbom: { by: 'ci', format: 'SPDX 2.3', components: 270, withoutLicence: 0, licences, licencesLeftOut: 0 },
    vulnerabilities: { by: 'ci', ...counts, scannedAt: '2026-11-22T00:00:00Z' },
  };
}

function imagesOf(review: Uint8Array): readonly string[] {
  const { review: asked } = JSON.parse(new TextDecoder().decode(review)) as {
    review: { object: { spec: { containers: readonly { image: string }[] } } };
  };
  return asked.object.spec.containers.map(({ image }) => image);
}

/** The review of the other measurements. */
function input(changes: Changes): Uint8Array {
  const review = JSON.parse(new TextDecoder().decode(podReview())) as object;
  return new TextEncoder().encode(JSON.stringify({ ...review, ...changes }));
}

function samplesOf(evaluation: Evaluation): readonly number[] {
  const session = new HereSession();
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
    const startedAt = performance.now();
    const verdict = evaluateHere(evaluation, session);
    if (verdict.kind !== 'value') throw new Error(JSON.stringify(verdict));
    if (round === 0) expectAllowed(verdict.value);
    if (round >= WARM_UP) samples.push(performance.now() - startedAt);
  }
  return samples;
}

/** What is measured is the usual case, in which all rules are looked at and none has anything to say. */
function expectAllowed(value: unknown): void {
  const { deny } = value as { readonly deny?: readonly unknown[] };
  if (deny !== undefined && deny.length > 0) throw new Error(`it is refused: ${JSON.stringify(deny[0])}`);
}
