// SPDX-License-Identifier: Apache-2.0
import type { Failure } from '../oci/answer.ts';
import type { Descriptor, Index, Manifest } from '../oci/manifest.ts';
import type { ArtifactContent, PackFault } from './verification.ts';

/** What artifacts are that `nexusctl pack push` makes. */
export const PACK_ARTIFACT_TYPE = 'application/vnd.nexusos.policy-pack.v1';
/** Media types of the one layer. The first is what we write, and what opa itself reads. */
export const PACK_LAYER_TYPES: readonly string[] = [
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip',
];

const AT = 'spec.source.oci';

/** The layer of an artifact that is a pack, or what is wrong with it. */
export type PackLayer =
  | { readonly kind: 'ok'; readonly layer: Descriptor }
  | { readonly kind: 'fault'; readonly fault: PackFault };

/** Which layer of an artifact is the bundle. What else it says it is does not count: others make them as well. */
export function packLayerOf(document: Manifest | Index, maxBytes: number): PackLayer {
  if (document.kind === 'index')
    return wrong('InvalidSource', 'the digest is that of a list of manifests; the manifest itself is wanted');
  const [layer, ...more] = document.layers;
  if (layer === undefined || more.length > 0)
    return wrong('InvalidSource', `found ${document.layers.length} layers; one is wanted, an OPA bundle`);
  if (!PACK_LAYER_TYPES.includes(layer.mediaType))
    return wrong(
      'InvalidSource',
      `found a layer of type ${layer.mediaType}; wanted is ${PACK_LAYER_TYPES.join(' or ')}`,
    );
  if (layer.size > maxBytes)
    return wrong('SourceTooLarge', `found ${layer.size} bytes; at most ${maxBytes} are allowed`);
  return { kind: 'ok', layer };
}

function wrong(reason: PackFault['reason'], message: string): PackLayer {
  return { kind: 'fault', fault: { reason, message: `${AT}: ${message}`, passing: false } };
}

/** What a pack is told when its artifact could not be read. Only where we may not ask it is for good: all else is another's to mend. */
export function artifactFault(
  failure: Failure,
  { pullSecretName }: Pick<ArtifactContent, 'pullSecretName'>,
): PackFault {
  const { message } = failure;
  if (failure.kind === 'refused') return refusal(failure, pullSecretName);
  return { reason: REASONS[failure.kind], message: `${AT}: ${message}`, passing: true, ...again(failure) };
}

const REASONS = {
  absent: 'SourceNotFound',
  throttled: 'SourceThrottled',
  unreachable: 'SourceUnavailable',
  broken: 'SourceCorrupt',
} as const;

function refusal(
  { by, message }: Extract<Failure, { kind: 'refused' }>,
  secret: string | undefined,
): PackFault {
  if (by === 'Platform')
    return {
      reason: 'SourceRefused',
      message: `${AT}.image: ${message}; registries of your own the platform lists in platform.registries of the chart`,
      passing: false,
    };
  const how =
    secret === undefined
      ? 'without credentials; pullSecretRef names a Secret with some'
      : `with those of Secret ${secret}, which has to have some for exactly this registry`;
  return { reason: 'SourceForbidden', message: `${AT}: ${message}, asked ${how}`, passing: true };
}

/** Not sooner than soon. */
const SOON_MS = 30_000;

function again(failure: Failure): Pick<PackFault, 'againMs'> {
  const retryAfterMs = 'retryAfterMs' in failure ? failure.retryAfterMs : undefined;
  return retryAfterMs === undefined || retryAfterMs < SOON_MS ? {} : { againMs: retryAfterMs };
}

/** A Secret that cannot be used, and what to do. */
export function pullSecretFault(name: string, problem: string): PackFault {
  return {
    reason: 'PullSecretUnavailable',
    message: `${AT}.pullSecretRef: Secret ${name} ${problem}`,
    passing: true,
  };
}
