// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { type ImagesJudged, judgeImages } from '#operator/core/images/admit';
import { answerForPod, answerForTemplate, type ImagesAnswer, pinSteps } from '#operator/core/images/answer';
import { type ImageUse, imagesOf, newImages } from '#operator/core/images/images';
import { type ImagePolicyFacts, nameOf, policiesFor } from '#operator/core/images/policy';
import { ALLOWED, type AdmissionRequest, type Answer, type JsonPatchOperation, refused } from '../review.ts';
import type { ImageMetrics, ImagesOutcome } from './metrics.ts';
import type { VerdictBook } from './verdict-book.ts';
import type { WantedImages } from './wanted-images.ts';

/** What images are judged by. All of it is in memory: nothing is asked of anybody while an answer is waited for. */
export interface ImageJudgeOptions {
  readonly policies: () => readonly ImagePolicyFacts[];
  /** Labels of a namespace; undefined of one that is not known yet. */
  readonly labelsOf: (namespace: string) => Readonly<Record<string, string>> | undefined;
  readonly verdicts: VerdictBook;
  readonly wanted: WantedImages;
  readonly metrics: ImageMetrics;
  readonly now: () => Date;
}

const MAX_ANNOTATION = 1024;

/** What was asked, as far as it is looked at. */
interface Asked {
  readonly request: AdmissionRequest;
  readonly uses: readonly ImageUse[];
  readonly isPod: boolean;
}

/** Annotations of the object as it will be; undefined where it has none, and none are made. */
function annotationsAfter({ object }: AdmissionRequest, before: readonly JsonPatchOperation[]) {
  const isMade = before.some(({ path }) => path === '/metadata/annotations');
  return object?.metadata.annotations ?? (isMade ? {} : undefined);
}

/** Says whether images of a request may run, by what was found out before. */
export class ImageJudge {
  readonly #options: ImageJudgeOptions;

  constructor(options: ImageJudgeOptions) {
    this.#options = options;
  }

  /** What may still be changed: images of a pod are named by what they are. Nothing is refused here. `before` is what is changed anyway. */
  pin(request: AdmissionRequest, before: readonly JsonPatchOperation[] = []): Answer {
    const asked = askedOf(request);
    if (asked === undefined || !asked.isPod) return ALLOWED;
    const judged = this.#judge(asked);
    if (judged === undefined || judged === 'unknown') return ALLOWED;
    const annotations = annotationsAfter(request, before);
    const patch = pinSteps(
      { metadata: { annotations } },
      { uses: asked.uses, digests: judged.digests, annotation: annotationFor(request) },
    );
    return patch.length === 0 ? ALLOWED : { ...ALLOWED, patch };
  }

  /** Whether a pod may run; and, of what makes pods, whether they will. */
  decide(request: AdmissionRequest): Answer {
    const asked = askedOf(request);
    const judged = asked === undefined ? undefined : this.#judge(asked);
    if (asked === undefined || judged === undefined) return ALLOWED;
    if (judged === 'unknown') return asked.isPod ? notKnown(request.namespace) : ALLOWED;
    this.#tell(request, judged);
    const answer = asked.isPod ? answerForPod(judged, asked.uses) : answerForTemplate(judged);
    if (asked.isPod) this.#options.metrics.pods.inc({ outcome: outcomeOf(judged, answer) });
    return { ...answerOf(answer), auditAnnotations: annotationsOf(judged) };
  }

  /** Has the operator look at what is not known; and again, soon, at what is refused: it may have been signed since. */
  #tell({ namespace, dryRun }: AdmissionRequest, { wanted, refused: tried }: ImagesJudged): void {
    if (dryRun) return;
    const nowMs = this.#options.now().getTime();
    if (wanted.length > 0) this.#options.wanted.add(namespace, wanted, nowMs);
    if (tried.length > 0) this.#options.wanted.addRefused(namespace, tried, nowMs);
  }

  /** Undefined where no policy is for the namespace; `unknown` where that cannot be told. */
  #judge({ request, uses }: Asked): ImagesJudged | 'unknown' | undefined {
    const { policies, labelsOf, verdicts, now } = this.#options;
    const { namespace } = request;
    const all = policies();
    if (all.length === 0) return undefined;
    const labels = labelsOf(namespace);
    if (labels === undefined) return 'unknown';
    const asked = policiesFor(all, { namespace, labels });
    if (asked.length === 0) return undefined;
    return judgeImages({ uses, policies: asked, known: verdicts.in(namespace), now: now() });
  }
}

/** Undefined where a request brings no image. */
function askedOf(request: AdmissionRequest): Asked | undefined {
  const { resource, operation, object, oldObject } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return undefined;
  const part = request.subResource ?? '';
  const isPod = resource.group === '' && resource.resource === 'pods';
  if (part !== '' && !(isPod && part === 'ephemeralcontainers')) return undefined;
  const before = operation === 'UPDATE' ? imagesOf(resource, oldObject) : [];
  const uses = newImages(imagesOf(resource, object), before);
  return uses.length === 0 ? undefined : { request, uses, isPod };
}

/** Of the containers that are brought in later the API server takes those alone. */
function annotationFor({ subResource = '' }: AdmissionRequest): string | undefined {
  return subResource === '' ? ANNOTATIONS.images : undefined;
}

function notKnown(namespace: string): Answer {
  const message = `namespace ${namespace} is not known yet, so neither is which policies on images are for it; try again`;
  return refused({ code: 'dependency_unavailable', message, retryAfterSeconds: 1 });
}

function answerOf({ refusals, warnings }: ImagesAnswer): Answer {
  return { allowed: refusals.length === 0, refusals, warnings, auditAnnotations: {} };
}

function outcomeOf({ findings }: ImagesJudged, { refusals, warnings }: ImagesAnswer): ImagesOutcome {
  if (refusals.length === 0) return warnings.length > 0 ? 'warned' : 'admitted';
  const held = findings.filter(({ policy }) => policy.enforcement === 'Enforce');
  if (held.some(({ kind }) => kind === 'Refused')) return 'refused';
  return held.some(({ kind }) => kind === 'Unknown') ? 'unknown' : 'pending';
}

/** For the audit log of the API server: what did not pass, and why. */
function annotationsOf({ findings }: ImagesJudged): Readonly<Record<string, string>> {
  if (findings.length === 0) return {};
  const texts = findings.map(({ policy, use, reason }) => `${use.field}=${reason} (${nameOf(policy)})`);
  return { images: texts.join(', ').slice(0, MAX_ANNOTATION).toWellFormed() };
}
