// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { LABELS } from '#crds/v1alpha1/names';
import type { ImageVerdictStatus } from '#crds/v1alpha1/image-verdict';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { canonicalJson } from '../core/compare.ts';
import { heldPolicies } from '../core/images/bound.ts';
import {
  dueAtMs,
  foundSince,
  freshMs,
  isDue,
  isRefused,
  isWithdrawn,
  nextProof,
  type PolicyAsked,
} from '../core/images/next-proof.ts';
import { imagePolicyFacts } from '../core/images/objects.ts';
import { verdictName } from '../core/images/names.ts';
import { isAbout } from '../core/images/policy.ts';
import { waiversFor } from '../core/images/waivers.ts';
import { triedAt, triedBy } from '../core/images/tried.ts';
import type { Proof } from '../core/images/proof.ts';
import {
  type ImageVerdictObject,
  planImageVerdict,
  type VerdictObserved,
} from '../core/images/verdict-plan.ts';
import type { ImageAnswer, ImageQuestion } from '../core/images/verification.ts';
import { type ImageWorks, SIGNING_ENTRY, SIGNING_SECRET } from '../core/images/works.ts';
import type { KubeObject } from '../core/object.ts';
import { parseReference } from '../core/oci/reference.ts';
import { artifactName } from '../core/policy-pack/artifact-trust.ts';
import type { PolicyPack } from '../core/policy-pack/pack.ts';
import {
  IMAGE_VERDICTS,
  IMAGE_WAIVERS,
  NAMESPACES,
  POLICY_PACKS,
  POLICY_REPLICAS,
  SECRETS,
  TENANTS,
} from '../core/resources.ts';
import { pullSecretCopyName } from '../core/tenant/pull-secrets.ts';
import { clock } from '../runtime/clock.ts';
import {
  type Controller,
  type Key,
  keyOf,
  keyString,
  parseKey,
  type Reader,
  type SeenChange,
  type Watch,
} from '../runtime/controller.ts';
import { ifItAsksOtherwise, type ImagePolicies, type PolicyRead } from './shared/image-policies.ts';

/** What the controller works with. */
export interface ImageVerdictOptions {
  readonly platformNamespace: string;
  readonly works: ImageWorks;
  readonly policies: ImagePolicies;
}

/** Verdicts of a tenant that change at one time are looked at by turns with those of others. */
const PATIENCE_MS = 200;
/** Where there is no key yet to sign with. */
const KEYLESS_MS = 1000;

/**
 * The controller of ImageVerdicts: what policies say of an image, kept true. What costs time (registries, signatures) is done beside it, by
 * turns of tenants; what was found is signed, so that admission can go by it whoever has written it down.
 */
export function imageVerdictController({
  platformNamespace,
  works,
  policies,
}: ImageVerdictOptions): Controller<ImageVerdictObject, VerdictObserved, ImageVerdictStatus | undefined> {
  const watching = { platformNamespace, works, policies };
  return {
    name: 'image-verdict',
    resource: IMAGE_VERDICTS,
    watches: [
      ...policies.watches(all),
      // A namespace that is labelled otherwise may be another policy's.
      { resource: NAMESPACES, keys: ofNamespace, patienceMs: () => PATIENCE_MS },
      { resource: TENANTS, keys: () => [] },
      { resource: POLICY_PACKS, keys: ofPack, patienceMs: () => PATIENCE_MS },
      {
        resource: POLICY_REPLICAS,
        namespace: platformNamespace,
        keys: ofTried,
        patienceMs: ifTried,
      },
      { resource: IMAGE_VERDICTS, keys: (object, read) => forgetGone(object, read, works) },
      {
        // Of all namespaces, as its own controller watches it: two watches of one kind are not in step.
        resource: IMAGE_WAIVERS,
        keys: ({ metadata }, read) => (metadata.namespace === platformNamespace ? all(read) : []),
        // What it tells of itself changes no verdict.
        patienceMs: ifItAsksOtherwise,
      },
      {
        resource: SECRETS,
        namespace: platformNamespace,
        fieldSelector: `metadata.name=${SIGNING_SECRET}`,
        keys: (_, read) => all(read),
      },
    ],
    rbac: [],
    wakesItself: (wake) => works.verifier.onDone((verdict) => wake(parseKey(verdict))),
    group: ({ metadata }, read) => tenantOf(metadata.namespace ?? '', read),
    // What could be verified is everyday work.
    tells: ({ reason }) => reason !== 'Verified',
    observe: (object, read) => observe(object, read, watching),
    plan: planImageVerdict,
  };
}

function all(read: Reader): readonly Key[] {
  return read.list(IMAGE_VERDICTS).map(keyOf);
}

/** What was found of a verdict that is gone is of no use to anybody: it wakes nobody. */
function forgetGone(object: KubeObject, read: Reader, { verifier }: ImageWorks): readonly Key[] {
  const key = keyOf(object);
  if (read.get(IMAGE_VERDICTS, key) === undefined) verifier.forget(keyString(key));
  return [];
}

const NOTHING: VerdictObserved = {
  proof: undefined,
  sealed: undefined,
  findings: undefined,
  isAsked: false,
  againMs: undefined,
};

async function observe(
  object: ImageVerdictObject,
  read: Reader,
  { platformNamespace, works, policies }: ImageVerdictOptions,
): Promise<VerdictObserved> {
  const { namespace = '' } = object.metadata;
  const asked = await policiesOn(object, { read, policies, platformNamespace });
  if (asked.length === 0) {
    works.verifier.forget(keyString(keyOf(object)));
    return NOTHING;
  }
  const key = signingKey(read, platformNamespace);
  if (key === undefined) return { ...NOTHING, againMs: KEYLESS_MS };
  const { image } = object.spec;
  const previous = previousOf(object, { works, key });
  const now = clock.now();
  const facts = asked.map(({ facts: one, digest }): PolicyAsked => ({ facts: one, digest }));
  const seen = { namespace, image, policies: facts, previous, now };
  const isUrgent = previous === undefined || isWithdrawn(seen);
  // Of what is refused the verifier knows when it is worth to look again.
  const answer =
    isDue(seen) || isRefused(previous)
      ? works.verifier.ask({ ...questionOf(object, { asked, read, platformNamespace }), isUrgent })
      : undefined;
  const known = answer?.kind === 'known' ? answer.findings : undefined;
  const findings = foundSince({ previous, findings: known });
  const proof = nextProof({ ...seen, findings });
  const sealed = proof === undefined ? undefined : sealedAs(proof, { object, previous, works, key });
  return {
    proof,
    sealed,
    findings,
    isAsked: true,
    isWithdrawn: isWithdrawn(seen),
    againMs: againMs(answer, { proof, policies: facts, image, now }),
  };
}

interface Asked {
  readonly facts: ReturnType<typeof imagePolicyFacts>;
  readonly digest: string;
  readonly read: PolicyRead;
}

async function policiesOn(
  { metadata, spec }: ImageVerdictObject,
  {
    read,
    policies,
    platformNamespace,
  }: Pick<ImageVerdictOptions, 'policies' | 'platformNamespace'> & { readonly read: Reader },
): Promise<readonly Asked[]> {
  const reference = parseReference(spec.image);
  if (reference.kind === 'refused') return [];
  const { namespace = '' } = metadata;
  const use = { reference: reference.reference, namespace, tenant: tenantOf(namespace, read) };
  const waivers = read.list(IMAGE_WAIVERS, { namespace: platformNamespace });
  const asked = policies
    .for(namespace, read)
    .map((object) => ({ object, facts: imagePolicyFacts(object) }))
    .filter(({ facts }) => isAbout(facts, reference.reference));
  const held = new Set(heldPolicies(asked.map(({ facts }) => facts)));
  return Promise.all(
    asked
      .filter(({ facts }) => held.has(facts))
      .map(async ({ object, facts }) => {
        const whole = await policies.read(object, read, waiversFor(waivers, facts, use));
        return { facts, digest: whole.digest, read: whole };
      }),
  );
}

function questionOf(
  object: ImageVerdictObject,
  {
    asked,
    read,
    platformNamespace,
  }: { readonly asked: readonly Asked[]; readonly read: Reader; readonly platformNamespace: string },
): ImageQuestion {
  const { namespace = '' } = object.metadata;
  const { image } = object.spec;
  const pullSecrets = [...pullSecretsOf(namespace, read), ...packSecretsFor(object, read)];
  const ids = asked.map(({ facts, digest }) => [facts.uid, digest]);
  const text = canonicalJson([image, ids, pullSecrets]);
  return {
    key: createHash('sha256').update(text).digest('hex'),
    verdict: keyString(keyOf(object)),
    namespace,
    tenant: tenantOf(namespace, read) ?? namespace,
    image,
    pullSecrets,
    policies: asked.map(({ facts, digest, read: { inputs } }) => ({ uid: facts.uid, digest, inputs })),
    freshMs: freshMs(image, asked),
    triedAt: triedAt(read.list(POLICY_REPLICAS, { namespace: platformNamespace }), { namespace, image }),
  };
}

/** Copies of what the platform shares with the tenant: what its own pods are pulled with. */
function pullSecretsOf(namespace: string, read: Reader): readonly string[] {
  const tenant = tenantOf(namespace, read);
  const spec = tenant === undefined ? undefined : read.get(TENANTS, { name: tenant })?.['spec'];
  const { imagePullSecrets = [] } = (spec ?? {}) as Partial<TenantSpec>;
  return imagePullSecrets.map(({ name }) => pullSecretCopyName(name));
}

/** Secrets of the same namespace that packs name for this very artifact: what they are fetched with, they are verified with. */
function packSecretsFor({ metadata, spec }: ImageVerdictObject, read: Reader): readonly string[] {
  const { namespace = '' } = metadata;
  const names = read.list(POLICY_PACKS, { namespace }).flatMap((pack) => {
    const { oci } = (pack as PolicyPack).spec.source;
    return oci?.pullSecretRef !== undefined && artifactName(oci) === spec.image
      ? [oci.pullSecretRef.name]
      : [];
  });
  return [...new Set(names)].toSorted();
}

/** The verdict on the artifact of a pack. */
const ofPack: Watch['keys'] = (pack) => {
  const { oci } = (pack as PolicyPack).spec.source;
  const name = oci === undefined ? undefined : artifactName(oci);
  const { namespace } = pack.metadata;
  return name === undefined || namespace === undefined ? [] : [{ namespace, name: verdictName(name) }];
};

/** Verdicts on images that admission has refused: whoever tried may have signed them meanwhile. */
const ofTried: Watch['keys'] = (replica) =>
  triedBy(replica).map(({ namespace, image }) => ({ namespace, name: verdictName(image) }));

/** What else a replica tells of itself is about no image. */
function ifTried({ old, object }: SeenChange): number {
  const isSame =
    old !== undefined &&
    object !== undefined &&
    canonicalJson(triedBy(old)) === canonicalJson(triedBy(object));
  return isSame ? Infinity : PATIENCE_MS;
}

/** What was proved before, where it is of this very object and signed by the key of now: whoever else wrote it proves nothing. */
function previousOf(
  { metadata, spec, status }: ImageVerdictObject,
  { works, key }: { readonly works: ImageWorks; readonly key: string },
): Proof | undefined {
  const proof = status?.proof === undefined ? undefined : works.open(status.proof, key);
  return proof?.namespace === metadata.namespace && proof?.image === spec.image ? proof : undefined;
}

/** The text before where it says the same: signatures differ each time. */
function sealedAs(
  proof: Proof,
  {
    object,
    previous,
    works,
    key,
  }: {
    readonly object: ImageVerdictObject;
    readonly previous: Proof | undefined;
    readonly works: ImageWorks;
    readonly key: string;
  },
): string {
  return proof === previous && object.status?.proof !== undefined
    ? object.status.proof
    : works.seal(proof, key);
}

/** When nobody is told of anything by then. What is being found out wakes by itself. */
function againMs(
  answer: ImageAnswer | undefined,
  {
    proof,
    policies,
    image,
    now,
  }: {
    readonly proof: Proof | undefined;
    readonly policies: readonly PolicyAsked[];
    readonly image: string;
    readonly now: Date;
  },
): number | undefined {
  if (answer !== undefined) return atLeast(answer.againMs);
  if (proof === undefined) return undefined;
  return Math.max(dueAtMs({ previous: proof, policies, image }) - now.getTime(), KEYLESS_MS);
}

function atLeast(againMs: number | undefined): number | undefined {
  return againMs === undefined ? undefined : Math.max(againMs, KEYLESS_MS);
}

function signingKey(read: Reader, namespace: string): string | undefined {
  const secret = read.get(SECRETS, { namespace, name: SIGNING_SECRET });
  const data = secret?.['data'] as Readonly<Record<string, string>> | undefined;
  const text = data?.[SIGNING_ENTRY];
  return text === undefined ? undefined : Buffer.from(text, 'base64').toString('utf8');
}

function tenantOf(namespace: string, read: Reader): string | undefined {
  return read.get(NAMESPACES, { name: namespace })?.metadata.labels?.[LABELS.tenant];
}

function ofNamespace({ metadata }: { readonly metadata: { readonly name: string } }, read: Reader) {
  return read.list(IMAGE_VERDICTS, { namespace: metadata.name }).map(keyOf);
}
