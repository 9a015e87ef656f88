// SPDX-License-Identifier: Apache-2.0
import type { ImageFindings, ImageQuestion } from '../core/images/verification.ts';
import { type Answer, type Failure, ok } from '../core/oci/answer.ts';
import { parseReference, type Reference } from '../core/oci/reference.ts';
import type { NotKnown, Unknown } from '../core/supply-chain/judgement.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { Asking, Registry } from '../oci/client.ts';
import type { Client } from '../runtime/client.ts';
import type { EvidenceSource, Room } from '../supply-chain/evidence.ts';
import { TimeLimit } from '../oci/time-limit.ts';
import { registryEvidence } from '../supply-chain/registry-evidence.ts';
import type { EvidenceRoom } from './evidence-room.ts';
import type { Judged, JudgeOrder } from './judge.ts';
import { namespaceKeychain } from './pull-secrets.ts';

/** What images are verified with. */
export interface VerifyTools {
  readonly registry: Registry;
  /** Reads Secrets, where the operator may. */
  readonly client: Pick<Client, 'get'>;
  /** Judges beside everything else, by turns of tenants. It may throw: then it could not be told. */
  readonly judge: (order: JudgeOrder, whose: string) => Promise<Judged>;
  /** Where what is attached is held. */
  readonly room: EvidenceRoom;
  readonly now: () => Date;
  /** For one look at an image, as long as registries are asked. Default: a minute. */
  readonly lookMs?: number;
}

/**
 * Longer no registry is waited for, with all that it takes to look at one image: one that answers each question just in time may be asked
 * hundreds of them. What was fetched until then is remembered by its digest, so that the next look comes further.
 */
const LOOK_MS = 60_000;
/** An index within an index within an index, and what is in that. */
const MAX_ROUNDS = 6;

/**
 * Finds out what policies say of an image: what it is, what is attached to it, and what that proves. What cannot be told is a value.
 *
 * @throws ApiError when the API server cannot say what the pull secrets are.
 */
export async function verifyQuestion(question: ImageQuestion, tools: VerifyTools): Promise<ImageFindings> {
  const now = tools.now();
  const read = parseReference(question.image);
  if (read.kind === 'refused') {
    const message = `found ${read.found}; what would pass is ${read.wanted}`;
    return allUnknown(question, { kind: 'unknown', reason: 'ImageNotFound', message }, now);
  }
  const keychain = await namespaceKeychain(question, tools.client);
  const limit = new TimeLimit(tools.lookMs ?? LOOK_MS);
  try {
    const asking = { keychain, whose: question.tenant, signal: limit.signal };
    return await lookAt(read.reference, { question, asking, now }, tools);
  } finally {
    limit.end();
  }
}

/** Who asks, for what, and as whom. */
interface Look {
  readonly question: ImageQuestion;
  readonly asking: Asking & { readonly signal: AbortSignal };
  readonly now: Date;
}

async function lookAt(
  reference: Reference,
  { question, asking, now }: Look,
  tools: VerifyTools,
): Promise<ImageFindings> {
  const { signal } = asking;
  const resolved = await digestOf(reference, asking, tools);
  if (resolved.kind !== 'ok') return allUnknown(question, notKnown(resolved), now);
  const digest = resolved.value;
  const room = tools.room.enter(question.tenant, signal);
  try {
    const source = sourceAt(reference, { asking, room }, tools);
    const verdicts = await judgeWhole({ digest, question, now, signal }, source, tools);
    return findingsOf(question, { digest, verdicts, checkedAt: now });
  } finally {
    room.leave();
  }
}

/** What is written with its digest is that: whether it is there is told by reading it. */
async function digestOf(
  reference: Reference,
  asking: Asking,
  { registry }: VerifyTools,
): Promise<Answer<string>> {
  if (reference.digest !== undefined) return ok(reference.digest);
  const resolved = await registry.resolve(reference, asking);
  return resolved.kind === 'ok' ? ok(resolved.value.digest) : resolved;
}

function sourceAt(
  { registry, repository }: Reference,
  { asking: { keychain, whose }, room }: { readonly asking: Asking; readonly room: Room },
  tools: VerifyTools,
): EvidenceSource {
  return registryEvidence({
    registry: tools.registry,
    repository: { registry, repository },
    keychain,
    whose,
    room,
  });
}

interface Judging {
  readonly digest: string;
  readonly question: ImageQuestion;
  readonly now: Date;
  readonly signal: AbortSignal;
}

/** The judge sees no registry: images within an index that a policy asks of are gathered when it says which. */
async function judgeWhole(
  { digest, question, now, signal }: Judging,
  source: EvidenceSource,
  { judge }: VerifyTools,
): Promise<readonly ImageVerdict[]> {
  const gathered = new Map([[digest, await source.gather(digest, signal)]]);
  const policies = question.policies.map(({ inputs }) => inputs);
  for (let round = 1; ; round += 1) {
    const judged = await judge({ digest, gathered, policies, now }, question.tenant);
    const missing = judged.missing.filter((one) => !gathered.has(one));
    if (missing.length === 0 || round === MAX_ROUNDS) return judged.verdicts;
    for (const one of missing) gathered.set(one, await source.gather(one, signal));
  }
}

function findingsOf(
  { policies }: ImageQuestion,
  found: { readonly digest: string; readonly verdicts: readonly ImageVerdict[]; readonly checkedAt: Date },
): ImageFindings {
  const { digest, verdicts, checkedAt } = found;
  const byPolicy = policies.map((policy, index) => {
    return [policy.uid, verdicts[index] ?? unknownBy(policy.digest, LEFT_OUT, checkedAt)] as const;
  });
  const waits = verdicts.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
  return {
    digest,
    verdicts: new Map(byPolicy),
    checkedAt,
    ...(waits.length > 0 && { retryAfterMs: Math.max(...waits) }),
  };
}

/** What nobody has said is not known, and never admitted. */
const LEFT_OUT: NotKnown = {
  kind: 'unknown',
  reason: 'JudgingEnded',
  message: 'the process that judges said nothing about this policy',
};

/** What a policy says of an image that nobody could judge by it. */
function unknownBy(policy: string, { reason, message }: NotKnown, now: Date): ImageVerdict {
  return {
    image: '',
    policy,
    outcome: 'Unknown',
    reason,
    message,
    checks: [],
    facts: { signers: [] },
    notes: [],
    checkedAt: now.toISOString(),
  };
}

/** The same of each policy: what could not even be looked at. */
export function allUnknown({ policies }: ImageQuestion, problem: NotKnown, now: Date): ImageFindings {
  const { retryAfterMs } = problem;
  return {
    verdicts: new Map(policies.map(({ uid, digest }) => [uid, unknownBy(digest, problem, now)])),
    checkedAt: now,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

const REASONS: Readonly<Record<Failure['kind'], Unknown>> = {
  absent: 'ImageNotFound',
  refused: 'RegistryRefused',
  throttled: 'RegistryThrottled',
  unreachable: 'RegistryUnreachable',
  broken: 'RegistryBroken',
};

function notKnown(failure: Failure): NotKnown {
  const retryAfterMs = 'retryAfterMs' in failure ? failure.retryAfterMs : undefined;
  const { message } = failure;
  return {
    kind: 'unknown',
    reason: REASONS[failure.kind],
    message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}
