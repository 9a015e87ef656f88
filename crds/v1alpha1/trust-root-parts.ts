// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { instant, keyRef, text, uri } from './meta.ts';

/** Entries of one list of parts. */
export const MAX_ROOT_PARTS = 16;

/** The longest text in PEM of one part: a chain of eight certificates has a third of it. */
export const MAX_ROOT_PEM = 65_536;

const source = (what: string) => ({
  pem: text(`${what}, in PEM.`, MAX_ROOT_PEM).min(1).optional(),
  configMapRef: keyRef('ConfigMap', 'The same, in a ConfigMap in the namespace of the platform.').optional(),
});

const ONE_SOURCE = {
  'x-kubernetes-validations': [
    {
      rule: 'has(self.pem) != has(self.configMapRef)',
      message: 'exactly one of pem and configMapRef is needed',
    },
  ],
};

const authority = (what: string) =>
  z
    .object({
      ...source(what),
      name: text('What it is called, for people.', 512).optional(),
      validFrom: instant('Since when it is trusted. Empty: as long as its certificates.').optional(),
      validUntil: instant('Until when. Empty: as long as its certificates.').optional(),
    })
    .meta(ONE_SOURCE);

const log = (fields: Readonly<Record<string, z.ZodType>>) =>
  z
    .object({
      ...source('The public key of the log'),
      url: uri('Where it is, as its checkpoints name it: with another, they are not believed.'),
      validFrom: instant(
        'Since when it is trusted. It has to be said: else whoever gets hold of an old key could date back.',
      ),
      validUntil: instant('Until when. Empty: without end.').optional(),
      ...fields,
    })
    .meta(ONE_SOURCE);

const list = <T extends z.ZodType>(entry: T, description: string) =>
  z
    .array(entry)
    .min(1)
    .max(MAX_ROOT_PARTS)
    .describe(description)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional();

/** What is trusted, one by one, as an instance of one's own has it in files. */
export const trustRootParts = z
  .object({
    certificateAuthorities: list(
      authority('Certificates from the one that issues up to the root'),
      'Who issues certificates of signers.',
    ),
    transparencyLogs: list(
      log({
        api: z
          .enum(['V1', 'V2'])
          .default('V1')
          .describe('V2: a log of tiles (Rekor v2), whose entries are proved by signed checkpoints alone.'),
      }),
      'Logs of signatures.',
    ),
    certificateLogs: list(log({}), 'Logs of certificates.'),
    timestampAuthorities: list(
      authority('The certificate that signs timestamps, then those up to the root'),
      'Who says what time it was.',
    ),
  })
  .describe('The parts of an instance of Sigstore, as its services give them out: in PEM.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.certificateAuthorities) || has(self.transparencyLogs) || has(self.timestampAuthorities)',
        message:
          'at least one of certificateAuthorities, transparencyLogs and timestampAuthorities is needed',
      },
    ],
  });

/** What is trusted, one by one. */
export type TrustRootParts = z.output<typeof trustRootParts>;
