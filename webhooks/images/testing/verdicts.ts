// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { PolicyVerdict, Proof } from '#operator/core/images/proof';
import type { KubeObject } from '#operator/core/object';
import { signProof } from '#operator/supply-chain/signed-proof';

/** Who vouches for images, played: a pair of keys, and objects as the operator writes them. */
export class PlayedVerifier {
  readonly #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  /** The ConfigMap with its public key. */
  get configMap(): KubeObject {
    const pem = this.#pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'keys' }, data: { 'a.pem': pem } };
  }

  /** An ImageVerdict that it vouches for; `by` is whoever else signs it. */
  verdict(name: string, proof: Proof, by: KeyObject = this.#pair.privateKey): KubeObject {
    const verifier = { id: 'https://nexusos.dev/operator', version: 'test' };
    return {
      apiVersion: API_VERSION,
      kind: 'ImageVerdict',
      metadata: { name, namespace: proof.namespace },
      spec: { image: proof.image },
      status: { proof: signProof(proof, { verifier, key: by }) },
    };
  }
}

export const DIGEST = `sha256:${'a'.repeat(64)}`;

/** A proof that an image is as asked, for an hour from `now`. */
export function proofOf(now: Date, change: Partial<Proof> = {}, of: Partial<PolicyVerdict> = {}): Proof {
  return {
    namespace: 'team',
    image: 'registry.example/app:1',
    digest: DIGEST,
    verifiedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + 3_600_000).toISOString(),
    policies: [
      {
        kind: 'ClusterImagePolicy',
        name: 'signed',
        uid: 'u1',
        generation: 1,
        digest: `sha256:${'b'.repeat(64)}`,
        outcome: 'Verified',
        message: 'fine',
        ...of,
      },
    ],
    ...change,
  };
}
