// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { int, keyRef, sha256, text, uri } from './meta.ts';

/** The largest input that is taken from a ConfigMap, in bytes; it is copied, so it counts twice in the API server. */
export const MAX_INPUT_BYTES = 262_144;

/** What `spec.input` of a Run is. */
export const input = z
  .object({
    inline: text('The input itself. Not for secrets.', 32_768).optional(),
    configMapKeyRef: keyRef(
      'ConfigMap',
      'The input is taken from a ConfigMap, as it is when the Run is admitted.',
    ).optional(),
    secretKeyRef: keyRef(
      'Secret',
      'The input is mounted from a Secret. NexusOS does not read it.',
    ).optional(),
    uri: uri(
      'Where the container finds the input by itself: an object store or an HTTPS address.',
    ).optional(),
    digest: sha256(
      'Digest of the input: sha256:<64 hex digits>. What NexusOS reads itself is checked against it; of anything else, the container is told it.',
    ).optional(),
  })
  .describe('Input of the Run.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '[has(self.inline), has(self.configMapKeyRef), has(self.secretKeyRef), has(self.uri)].filter(x, x).size() <= 1',
        message: 'at most one of inline, configMapKeyRef, secretKeyRef and uri can be set',
      },
    ],
  });

/** What `spec.parameters` of a Run is. */
export const parameters = z.record(z.string(), z.string().max(2048)).meta({
  description:
    'Named values for the container, in its environment and in files. Names are as those of variables. Not for secrets.',
  maxProperties: 32,
  'x-kubernetes-validations': [
    {
      // Who reads objects of JavaScript would lose that one.
      rule: "self.all(k, k.matches('^[A-Za-z_][A-Za-z0-9_]{0,62}$') && k != '__proto__')",
      message:
        'names are letters, digits and underscores, at most 63, do not begin with a digit, and are not __proto__',
    },
    {
      rule: "self.all(k, !self[k].contains('\\u0000'))",
      message: 'values cannot hold U+0000, which cannot be part of a variable',
    },
  ],
});

/** What `status.input` of a Run is. */
export const inputStatus = z
  .object({
    digest: sha256('Digest of what the container was given: sha256:<64 hex digits>.'),
    sizeBytes: int('Its size, in bytes.', 0, Number.MAX_SAFE_INTEGER),
  })
  .describe('The input that was read: inline, or from a ConfigMap.');
