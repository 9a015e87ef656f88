// SPDX-License-Identifier: Apache-2.0
import { stringify } from 'yaml';

/** Whose word a user takes for a release. */
export interface PolicyOptions {
  /** Where releases are: registry and path. */
  readonly to: string;
  /** In PEM. */
  readonly publicKey: string;
  readonly builder: string;
  readonly repository: string;
}

/** The file that a user verifies a release by, with `nexusctl verify` or in a cluster. docs/how-to/verify-nexusos.md has it. */
export function policyText({ to, publicKey, builder, repository }: PolicyOptions): string {
  const from = ['release'];
  const authorities = [{ name: 'release', key: { pem: publicKey } }];
  const provenance = { from, builders: [{ id: builder, level: 1 }], sources: [repository] };
  const policy = (name: string, images: readonly string[], require: object) => ({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images, authorities, require },
  });
  const signed = { signatures: { from }, provenance };
  return [
    policy('nexusos-image', [`${to}/nexusos`], { ...signed, sbom: { from } }),
    policy('nexusos-charts-and-packs', [`${to}/charts/*`, `${to}/packs/*`], signed),
  ]
    .map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}
