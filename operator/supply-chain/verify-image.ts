// SPDX-License-Identifier: Apache-2.0
import { asList, asText, at, readDocument, SMALL } from '../core/supply-chain/documents.ts';
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import { decidingCheck, failedCheck, type ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { EvidenceSource, Gathered } from './evidence.ts';
import { judgeImage } from './judge-image.ts';
import type { ReadyPolicy } from './policy.ts';

/** By what an image is verified. */
export interface Verifying {
  readonly policy: ReadyPolicy;
  readonly source: EvidenceSource;
  readonly now: Date;
  readonly signal?: AbortSignal;
}

/** Images of one index: one for each platform and a few more. */
const MAX_PLATFORMS = 32;

/**
 * What a policy says of an image, by its digest. Never rejects: what could not be fetched is not known. Of an index whose policy asks it of each, so
 * are the images in it.
 */
export async function verifyImage(image: string, verifying: Verifying): Promise<ImageVerdict> {
  const { source, policy, now, signal } = verifying;
  const gathered = await source.gather(image, signal);
  if (isNotKnown(gathered)) return unknownVerdict(image, verifying, gathered);
  const verdict = judgeImage(image, gathered, { policy, now });
  if (policy.platforms === 'Index' || verdict.outcome === 'Refused') return verdict;
  const platforms = platformsOf(gathered.subject);
  if (platforms === undefined) return verdict;
  return withPlatforms(verdict, platforms, verifying);
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

interface Platform {
  readonly name: string;
  readonly digest: string;
}

/** The images of an index; undefined of a manifest. What build tools attach to an index runs nowhere. */
function platformsOf(subject: Uint8Array): readonly Platform[] | undefined {
  const read = readDocument(subject, 'the index', SMALL);
  if (read.kind !== 'verified' || !Array.isArray(read.value['manifests'])) return undefined;
  return asList(read.value['manifests']).flatMap((one) => {
    const os = asText(at(one, 'platform', 'os')) ?? '';
    const architecture = asText(at(one, 'platform', 'architecture')) ?? '';
    const digest = asText(at(one, 'digest'));
    if (digest === undefined || (os === 'unknown' && architecture === 'unknown')) return [];
    return [{ name: `${os}/${architecture}`, digest }];
  });
}

async function withPlatforms(
  verdict: ImageVerdict,
  platforms: readonly Platform[],
  verifying: Verifying,
): Promise<ImageVerdict> {
  if (platforms.length > MAX_PLATFORMS) {
    const message = `the index has ${platforms.length} images; ${MAX_PLATFORMS} are verified`;
    return combined(verdict, [failedCheck('platforms', { kind: 'refused', reason: 'TooLarge', message })]);
  }
  const alone: Verifying = { ...verifying, policy: { ...verifying.policy, platforms: 'Index' } };
  const checks: ReturnType<typeof failedCheck>[] = [];
  for (const { name, digest } of platforms) {
    const { outcome, reason, message } = await verifyImage(digest, alone);
    checks.push({
      name: 'platforms',
      outcome,
      ...(reason !== undefined && { reason }),
      message: `${name} (${digest}): ${message}`,
    });
  }
  return combined(verdict, checks);
}

function combined(verdict: ImageVerdict, more: ImageVerdict['checks']): ImageVerdict {
  const checks = [...verdict.checks, ...more];
  const deciding = decidingCheck(checks);
  if (deciding === undefined) return { ...verdict, checks };
  const { outcome, reason, message } = deciding;
  return { ...verdict, outcome, ...(reason !== undefined && { reason }), message, checks };
}
