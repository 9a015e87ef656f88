// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsLabel, int, text, token } from './meta.ts';

/** How long a key is remembered after the end of its Run, unless the Run says otherwise, in seconds. */
export const DEFAULT_KEY_SECONDS = 3600;

/** What `spec.idempotencyKey` of a Run is. */
export const idempotencyKey = token(
  'Visible ASCII, blanks within. Of Runs with the same key in a namespace only the first starts. Another one with the same spec ends as that one ends; one with another spec fails with conflict.',
);

/** What `spec.idempotencyKeySeconds` of a Run is. */
export const idempotencyKeySeconds = int(
  `The key is remembered at least so long after the end of the Run, also when that is deleted. Empty: ${DEFAULT_KEY_SECONDS}.`,
  1,
  604_800,
);

/** What `status.keyHolder` of a Run is. */
export const keyHolder = z
  .object({ name: dnsLabel('Its name.'), uid: text('Its UID.', 64) })
  .describe('The Run that has the same idempotency key and came first: this one starts nothing.');
