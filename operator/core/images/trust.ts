// SPDX-License-Identifier: Apache-2.0
import { formatReference, parseReference } from '../oci/reference.ts';
import {
  type CountingVerdict,
  countingVerdict,
  type ImageFinding,
  judgeImages,
  type KnownImages,
  proofsFor,
} from './admit.ts';
import { type ImagePolicyFacts, isAbout, nameOf } from './policy.ts';

/** What policies on images say of one image, before anything is made of it. */
export type ImageTrust =
  /** No policy is about it. */
  | { readonly kind: 'unasked' }
  /** It is as asked by all policies that are enforced. */
  | { readonly kind: 'trusted'; readonly message: string; readonly warns: boolean; readonly againMs: number }
  /** One that is enforced does not let it through; a refusal counts before what is not known. */
  | { readonly kind: 'held'; readonly name: string; readonly finding: ImageFinding }
  /** One that is enforced could not tell, and lets that pass: pods run, and nobody has said that it is as asked. */
  | { readonly kind: 'untold'; readonly name: string; readonly finding: ImageFinding };

/** What an image is judged by. */
export interface TrustSeen {
  /** Policies that are for the namespace. */
  readonly policies: readonly ImagePolicyFacts[];
  readonly known: KnownImages;
  readonly now: Date;
}

/** Soon enough, and not at once: what is over is being found out anew. */
const SOON_MS = 1000;

/** Judges an image as admission does. What has no name is for others to tell. */
export function imageTrust(image: string, { policies, known, now }: TrustSeen): ImageTrust {
  const read = parseReference(image);
  if (read.kind === 'refused') return { kind: 'unasked' };
  const about = policies.filter((policy) => isAbout(policy, read.reference));
  if (about.length === 0) return { kind: 'unasked' };
  const name = formatReference(read.reference);
  const judged = judgeImages({ uses: [{ field: '', image: name }], policies: about, known, now });
  const proofs = proofsFor(read.reference, known);
  const counting = about.map((policy) => ({ policy, found: countingVerdict(policy, { proofs, now }) }));
  const untold = counting.flatMap((one) => letPass(one, name, judged.findings));
  const held = judged.findings.filter(isEnforced);
  const deciding = (['Refused', 'Unknown', 'Pending'] as const)
    .map((kind) => held.find((one) => one.kind === kind))
    .find((one) => one !== undefined);
  if (deciding !== undefined) return { kind: 'held', name, finding: deciding };
  const passed = untold.find(isEnforced);
  if (passed !== undefined) return { kind: 'untold', name, finding: passed };
  const findings = [...judged.findings, ...untold];
  const ends = counting.flatMap(({ found }) => ('end' in found ? [found.end] : []));
  return {
    kind: 'trusted',
    message: messageOf(about, findings),
    warns: findings.length > 0,
    againMs: Math.max(SOON_MS, Math.min(...ends) - now.getTime()),
  };
}

function isEnforced({ policy }: ImageFinding): boolean {
  return policy.enforcement === 'Enforce';
}

/** What a policy could not tell and admission lets pass: no finding there, and not content either. */
function letPass(
  { policy, found }: { readonly policy: ImagePolicyFacts; readonly found: CountingVerdict },
  image: string,
  findings: readonly ImageFinding[],
): readonly ImageFinding[] {
  if ('pending' in found || found.verdict.outcome !== 'Unknown') return [];
  if (findings.some((one) => one.policy === policy)) return [];
  const { reason = 'Unknown', message } = found.verdict;
  return [{ kind: 'Unknown', use: { field: '', image }, policy, reason, message }];
}

function messageOf(about: readonly ImagePolicyFacts[], findings: readonly ImageFinding[]): string {
  const against = new Set(findings.map(({ policy }) => policy));
  const content = about.filter((policy) => !against.has(policy)).map(nameOf);
  const warned = findings.map(({ policy, reason }) => `${nameOf(policy)} only warns: ${reason}`);
  return [...(content.length === 0 ? [] : [`as asked by ${content.join(', ')}`]), ...warned].join('; ');
}
