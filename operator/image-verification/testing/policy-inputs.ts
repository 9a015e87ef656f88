// SPDX-License-Identifier: Apache-2.0
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import type { PolicyInputs } from '../../core/images/inputs.ts';

/** What a policy asks for where nothing else is said: a signature of the builder. */
const A_SIGNATURE: ImagePolicySpec['require'] = { signatures: { from: ['builder'], threshold: 1 } };

/** What a policy on all images is judged by: it asks for `require` of `builder`, who has the key of `pem`. */
export function inputsBy(pem: string, require = A_SIGNATURE): PolicyInputs {
  const spec: ImagePolicySpec = {
    images: ['*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
    platforms: 'Index',
    authorities: [{ name: 'builder', key: { pem } }],
    require,
  };
  return { spec, roots: {}, keys: {}, waivers: [] };
}
