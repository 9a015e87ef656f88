// SPDX-License-Identifier: Apache-2.0
import { parseReference } from '../../oci/reference.ts';
import type { KnownImages } from '../admit.ts';
import type { ImagePolicyFacts } from '../policy.ts';
import type { PolicyVerdict, Proof } from '../proof.ts';
import { withProof } from '../several-names.ts';

/** A policy of the platform, as admission knows it. */
export const SIGNED: ImagePolicyFacts = {
  kind: 'ClusterImagePolicy',
  name: 'signed',
  uid: 'u1',
  generation: 3,
  images: ['registry.example/*'],
  enforcement: 'Enforce',
  unknown: 'Deny',
  maxAgeSeconds: 3600,
};

/** What that policy says of an image that is as asked. */
export const VERIFIED: PolicyVerdict = {
  kind: SIGNED.kind,
  name: SIGNED.name,
  uid: SIGNED.uid,
  generation: SIGNED.generation,
  digest: 'sha256:p',
  outcome: 'Verified',
  message: 'all that is asked for was verified',
};

/** What is known where so many proofs came, in this order: by name, and by digest in a repository. */
export function knownBy(proofs: readonly Proof[]): KnownImages {
  return {
    proofOf: (image) => proofs.find((one) => one.image === image),
    proofsOfDigest: (repository, digest) =>
      proofs
        .filter((one) => one.digest === digest && repositoryOf(one.image) === repository)
        .reduce<readonly Proof[]>(withProof, []),
  };
}

function repositoryOf(image: string): string | undefined {
  const read = parseReference(image);
  return read.kind === 'refused' ? undefined : `${read.reference.registry}/${read.reference.repository}`;
}
