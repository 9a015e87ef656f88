// SPDX-License-Identifier: Apache-2.0
import type { PolicyInputs } from '#operator/core/images/inputs';

/** A policy that asks of each image for a bill of materials, attested by whoever holds the key of `pem`. */
export function bomPolicy(pem: string): PolicyInputs {
  return {
    spec: {
      images: ['*'],
      enforcement: 'Enforce',
      unknown: 'Deny',
      maxAgeSeconds: 86_400,
      platforms: 'Index',
      authorities: [{ name: 'builder', key: { pem } }],
      require: { sbom: { from: ['builder'], threshold: 1 } },
    },
    roots: {},
    keys: {},
    waivers: [],
  };
}
