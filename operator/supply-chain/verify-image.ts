// SPDX-License-Identifier: Apache-2.0
import { asList, asText, at, type DocumentLimits, readDocument } from '../core/supply-chain/documents.ts';
import { type Judgement, type NotKnown, refuse, type Refused } from '../core/supply-chain/judgement.ts';
import { type Check, decidingCheck, failedCheck, type ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { EvidenceSource, Gathered } from './evidence.ts';
import { judgeWhole } from './judge-image.ts';
import type { ReadyPolicy } from './policy.ts';

/** By what an image is verified. */
export interface Verifying {
  readonly policy: ReadyPolicy;
  readonly source: EvidenceSource;
  readonly now: Date;
  readonly signal?: AbortSignal;
}

/** Images of one index, with all indexes within: one for each platform and a few more. */
const MAX_PLATFORMS = 32;

/** Indexes within indexes. */
const MAX_DEPTH = 4;

/** As large as a registry may send one. */
const INDEX_LIMITS: DocumentLimits = { maxBytes: 4 << 20, maxDepth: 32 };

/**
 * What a policy says of an image, by its digest. Never rejects: what could not be fetched is not known. Of an index whose policy asks it of each, so
 * are the images in it.
 */
export async function verifyImage(image: string, verifying: Verifying): Promise<ImageVerdict> {
  const { source, policy, now, signal } = verifying;
  const gathered = await source.gather(image, signal);
  if (isNotKnown(gathered)) return unknownVerdict(image, verifying, gathered);
  const verdict = await judgeWhole(image, gathered, { policy, now });
  if (policy.platforms === 'Index' || verdict.outcome === 'Refused') return verdict;
  return withPlatforms(verdict, gathered.subject, verifying);
}

function isNotKnown(gathered: Gathered | NotKnown): gathered is NotKnown {
  return 'kind' in gathered;
}

function unknownVerdict(image: string, { policy, now }: Verifying, problem: NotKnown): ImageVerdict {
  const { reason, message, retryAfterMs } = problem;
  return {
    image,
    policy: policy.digest,
    outcome: 'Unknown',
    reason,
    message,
    checks: [],
    facts: { signers: [] },
    notes: [],
    checkedAt: now.toISOString(),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** What an index lists that may run, or why it cannot be told; undefined of a manifest, which is one image. */
function listedIn(subject: Uint8Array): Judgement<readonly Listed[]> | undefined {
  const read = readDocument(subject, 'the manifest', INDEX_LIMITS);
  if (read.kind !== 'verified') return read;
  if (!Object.hasOwn(read.value, 'manifests')) return undefined;
  const entries = asList(read.value['manifests']);
  const listed = entries.flatMap((one): readonly Listed[] => {
    const os = asText(at(one, 'platform', 'os')) ?? '';
    const architecture = asText(at(one, 'platform', 'architecture')) ?? '';
    // What build tools attach to an index runs nowhere.
    if (os === 'unknown' && architecture === 'unknown') return [];
    return [{ name: `${os}/${architecture}`, digest: asText(at(one, 'digest')) ?? '' }];
  });
  if (!Array.isArray(read.value['manifests']) || listed.some(({ digest }) => digest === '')) {
    return refuse('Malformed', 'the index lists something without a digest');
  }
  return { kind: 'verified', value: listed };
}

interface Listed {
  readonly name: string;
  readonly digest: string;
}

/** Verifies all that an index leads to: images, and what is in indexes within. Each once, and no more than there may be. */
class Platforms {
  readonly #verifying: Verifying;
  readonly #seen: Set<string>;
  readonly verdicts: { readonly name: string; readonly verdict: ImageVerdict }[] = [];
  problem: Refused | NotKnown | undefined;

  constructor(image: string, verifying: Verifying) {
    this.#verifying = verifying;
    this.#seen = new Set([image]);
  }

  async verify(subject: Uint8Array, depth = 0): Promise<void> {
    const listed = listedIn(subject);
    if (listed === undefined) return;
    if (listed.kind !== 'verified') {
      this.problem ??= listed;
      return;
    }
    if (depth >= MAX_DEPTH) {
      this.problem ??= refuse('TooLarge', `indexes are nested deeper than ${MAX_DEPTH}`);
      return;
    }
    await this.#verifyAll(listed.value, depth);
  }

  async #verifyAll(listed: readonly Listed[], depth: number): Promise<void> {
    const fresh = listed.filter(({ digest }) => !this.#seen.has(digest));
    const count = this.#seen.size - 1 + new Set(fresh.map(({ digest }) => digest)).size;
    if (count > MAX_PLATFORMS) {
      this.problem ??= refuse('TooLarge', `the index has ${count} images; ${MAX_PLATFORMS} are verified`);
      return;
    }
    for (const { name, digest } of fresh) {
      if (this.problem !== undefined || this.#seen.has(digest)) continue;
      this.#seen.add(digest);
      await this.#verifyOne(name, { digest, depth });
    }
  }

  async #verifyOne(name: string, { digest, depth }: { digest: string; depth: number }): Promise<void> {
    const { source, policy, now, signal } = this.#verifying;
    const gathered = await source.gather(digest, signal);
    if (isNotKnown(gathered)) {
      this.verdicts.push({ name, verdict: unknownVerdict(digest, this.#verifying, gathered) });
      return;
    }
    this.verdicts.push({ name, verdict: await judgeWhole(digest, gathered, { policy, now }) });
    await this.verify(gathered.subject, depth + 1);
  }
}

async function withPlatforms(
  verdict: ImageVerdict,
  subject: Uint8Array,
  verifying: Verifying,
): Promise<ImageVerdict> {
  const platforms = new Platforms(verdict.image, verifying);
  await platforms.verify(subject);
  const checks = platforms.verdicts.map(({ name, verdict: { image, outcome, reason, message } }): Check => {
    const said = `${name} (${image}): ${message}`;
    return { name: 'platforms', outcome, ...(reason !== undefined && { reason }), message: said };
  });
  const problem = platforms.problem === undefined ? [] : [failedCheck('platforms', platforms.problem)];
  const all = [verdict, ...platforms.verdicts.map((one) => one.verdict)];
  return combined(verdict, { checks: [...checks, ...problem], all });
}

/** The verdict with those of its parts: it holds as long as all of them do, and is to be asked for again when the last of them may be. */
function combined(
  verdict: ImageVerdict,
  { checks: more, all }: { readonly checks: readonly Check[]; readonly all: readonly ImageVerdict[] },
): ImageVerdict {
  const checks = [...verdict.checks, ...more];
  const until = all.flatMap((one) => one.validUntil ?? []).toSorted()[0];
  const deciding = decidingCheck(checks);
  const timed = { ...verdict, checks, ...(until !== undefined && { validUntil: until }) };
  if (deciding === undefined) return timed;
  const { outcome, reason, message } = deciding;
  const waits = outcome === 'Unknown' ? all.flatMap((one) => one.retryAfterMs ?? []) : [];
  return {
    ...timed,
    outcome,
    ...(reason !== undefined && { reason }),
    message,
    ...(waits.length > 0 && { retryAfterMs: Math.max(...waits) }),
  };
}
