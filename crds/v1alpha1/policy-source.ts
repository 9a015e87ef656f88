// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsSubdomain, sha256, spelt } from './meta.ts';
import { policyFloor } from './policy-floor.ts';

/** The most text of one module of Rego. */
export const MAX_MODULE_LENGTH = 131_072;
/** The most modules of a pack that is written in its manifest, or in a ConfigMap. */
export const MAX_MODULES = 64;

/** A JSON object that is taken as it stands: its size is limited where it is read, as a schema cannot say it. */
export function jsonObject(description: string) {
  return z.looseObject({}).meta({ description, 'x-kubernetes-preserve-unknown-fields': true });
}

const inline = z
  .object({
    modules: z.record(z.string(), z.string().max(MAX_MODULE_LENGTH)).meta({
      description:
        'Rego by file name: names end with .rego, those of tests with _test.rego. Together at most 512 KiB, data included.',
      maxProperties: MAX_MODULES,
      minProperties: 1,
    }),
    data: jsonObject('What the modules find under `data`, beside what they define.').optional(),
    floor: policyFloor.optional(),
  })
  .describe('Rego in the manifest itself.');

const bundle = z
  .object({
    url: z
      .string()
      .min(1)
      .max(2048)
      .regex(/^https:\/\/[^\s@/?#]+(\/[^\s#]*)?$/)
      .describe('Where it is: https, without user and password.'),
    digest: sha256('Digest of the file. Nothing else is taken for it.'),
  })
  .describe('An OPA bundle (tar.gz) behind HTTPS.');

const oci = z
  .object({
    image: spelt(
      z.string().min(1).max(255),
      '^[a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]+)?(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)+$',
      'wanted is a registry and a repository in it, such as registry.example/packs/images: lower-case letters and digits, with . _ or - in between, without a scheme like https:// and without a tag; the digest is the field beside it',
    ).describe(
      'Where it is: registry and repository, such as ghcr.io/acme/packs/images. Without tag and digest.',
    ),
    digest: sha256('Digest of the manifest. Nothing else is taken for it.'),
    pullSecretRef: z
      .object({ name: dnsSubdomain('Name of the Secret.') })
      .describe(
        'A Secret of type kubernetes.io/dockerconfigjson in the same namespace, if the registry asks who one is. Copies of what the Tenant has as imagePullSecrets can be named: nexusos-pull-NAME.',
      )
      .optional(),
  })
  .describe('An artifact in a registry, of one layer that is an OPA bundle.');

/** What `spec.source` of a PolicyPack is. */
export const policySource = z
  .object({
    inline: inline.optional(),
    configMapRef: z
      .object({ name: dnsSubdomain('Name of the ConfigMap.') })
      .describe(
        'A ConfigMap of the same namespace: keys that end with .rego are modules, data.json is data, floor.yaml is the floor, all else is left out.',
      )
      .optional(),
    bundle: bundle.optional(),
    oci: oci.optional(),
  })
  .describe('Where the pack comes from.')
  .meta({
    // As a whole: modules that another manifest had are no part of this one.
    'x-kubernetes-map-type': 'atomic',
    'x-kubernetes-validations': [
      {
        rule: '[has(self.inline), has(self.configMapRef), has(self.bundle), has(self.oci)].exists_one(x, x)',
        message: 'exactly one of inline, configMapRef, bundle and oci is needed',
      },
    ],
  });

/** Where a PolicyPack comes from. */
export type PolicySource = z.output<typeof policySource>;
