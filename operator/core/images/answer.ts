// SPDX-License-Identifier: Apache-2.0
import type { ErrorCode } from '#crds/v1alpha1/error-codes';
import type { PatchStep } from '../policy/mutate.ts';
import { quote } from '../supply-chain/judgement.ts';
import { type ImageFinding, type ImagesJudged, meantBy } from './admit.ts';
import { adviceOn } from './advice.ts';
import type { ImageUse } from './images.ts';
import { nameOf } from './policy.ts';

/** One reason why a pod may not pass. */
export interface ImageRefusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field: string;
  /** After how long whoever asks may ask again, where that is soon. */
  readonly retryAfterSeconds?: number;
}

/** What is said of the images of an object. */
export interface ImagesAnswer {
  readonly refusals: readonly ImageRefusal[];
  readonly warnings: readonly string[];
}

/** A verdict takes a few answers of a registry. */
const SOON_SECONDS = 1;

/** What is said to somebody who wants a pod: what a policy that is enforced refuses, or does not know yet, does not run. */
export function answerForPod({ findings, digests }: ImagesJudged, uses: readonly ImageUse[]): ImagesAnswer {
  const held = findings.filter(({ policy }) => policy.enforcement === 'Enforce');
  const warned = findings.filter(({ policy }) => policy.enforcement === 'Warn');
  return {
    refusals: [
      ...held.map(refusalOf),
      ...(held.length > 0 ? [] : uses.flatMap((use) => unpinned(use, digests))),
    ],
    warnings: warned.map(textOf),
  };
}

/** What is said to somebody who wants what makes pods: nothing is refused, and all that will be is told. */
export function answerForTemplate({ findings }: ImagesJudged): ImagesAnswer {
  return {
    refusals: [],
    warnings: findings.map((one) => {
      const text = textOf(one);
      if (one.policy.enforcement === 'Warn') return text;
      return one.kind === 'Pending' ? `${text}; pods wait for that` : `no pod of this starts: ${text}`;
    }),
  };
}

function refusalOf(finding: ImageFinding): ImageRefusal {
  const { kind, use } = finding;
  return {
    code: kind === 'Refused' ? 'policy_blocked' : 'dependency_unavailable',
    message: textOf(finding),
    field: use.field,
    ...(kind === 'Pending' && { retryAfterSeconds: SOON_SECONDS }),
  };
}

/** One finding, in the words that users meet everywhere. */
function textOf({ kind, policy, use, reason, message, digest }: ImageFinding): string {
  const what = `${nameOf(policy)}: image ${quote(use.image)}${meantBy(use.image, digest)} at ${use.field}`;
  const advice = adviceOn(reason);
  const more = advice === undefined ? '' : `; ${advice}`;
  if (kind === 'Pending') return `${what} ${message}${more}`;
  const came = kind === 'Refused' ? 'is refused' : 'is not known';
  return `${what} ${came}, ${reason}: ${message}${more}`;
}

/** A name that could mean something else by the time that it is fetched: what was verified is to be what runs. */
function unpinned({ image, field }: ImageUse, digests: ReadonlyMap<string, string>): readonly ImageRefusal[] {
  const digest = digests.get(image);
  if (digest === undefined) return [];
  const message = `image ${quote(image)} at ${field} was verified, and is to be named by its digest: ask again; where the platform does not fill it in (webhooks.mutation.enabled), write ${image}@${digest}`;
  return [{ code: 'dependency_unavailable', message, field, retryAfterSeconds: SOON_SECONDS }];
}

/** The pod whose images are to be named by what they are. */
interface PinnedPod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | undefined };
}

/**
 * The steps that name images by their digests, and keep what was written in an annotation. Only of pods: what makes
 * them stays as it was written, so that whoever keeps that in a repository sees no difference.
 */
export function pinSteps(
  { metadata }: PinnedPod,
  { uses, digests, annotation }: PinsAsked,
): readonly PatchStep[] {
  const pinned = uses.filter(({ image }) => digests.has(image));
  if (pinned.length === 0) return [];
  const named = pinned.map(({ field, image }): PatchStep => {
    return { op: 'replace', path: pointerTo(field), value: `${image}@${digests.get(image)}` };
  });
  if (annotation === undefined) return named;
  const { annotations } = metadata;
  const written = Object.fromEntries(pinned.map(({ field, image }) => [field, image]));
  const kept = { ...readKept(annotations?.[annotation]), ...written };
  const path = `/metadata/annotations/${annotation.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return [
    ...(annotations === undefined ? [{ op: 'add', path: '/metadata/annotations', value: {} } as const] : []),
    { op: 'add', path, value: JSON.stringify(kept) },
    ...named,
  ];
}

/** What is to be named by its digest, and where what was written is kept. */
export interface PinsAsked {
  readonly uses: readonly ImageUse[];
  readonly digests: ReadonlyMap<string, string>;
  /** Undefined where the API server keeps none. */
  readonly annotation: string | undefined;
}

/** What was kept before, by a call that came first; whatever else somebody wrote there is not. */
function readKept(text: string | undefined): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(Object.entries(value).filter(([, image]) => typeof image === 'string'));
  } catch {
    return {};
  }
}

/** pointerTo('spec.containers[0].image') -> '/spec/containers/0/image' */
function pointerTo(field: string): string {
  return `/${field.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`;
}
