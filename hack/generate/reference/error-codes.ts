// SPDX-License-Identifier: Apache-2.0
import { ERROR_CODE_MEANINGS, ERROR_CODES } from '#crds/v1alpha1/error-codes';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** The page of the error codes. */
export function errorCodesPage(): GeneratedFile {
  const rows = ERROR_CODES.map((one) => {
    const { means, helps } = ERROR_CODE_MEANINGS[one];
    return [code(one), means, helps];
  });
  const text = [
    pageHead('Error codes', 'crds/v1alpha1/error-codes.ts'),
    'There are these twelve, and no others: at the head of whatever guardrails and webhooks of NexusOS refuse (`policy_blocked: spec.type: found NodePort; ...`), and in `status.error.code` of a [Run](run.md). What the API server refuses by a schema has none: it says what Kubernetes says. Containers may say them too, in [what they give back](../spec/v1alpha1/run.md#what-it-gives-back). Which reason of a Run has which code is told [there](../spec/v1alpha1/run.md#how-it-fails); what becomes of a Run by a fault from outside, under [faults](../spec/v1alpha1/faults.md).\n',
    table(['code', 'means', 'what helps'], rows),
  ].join('\n');
  return { path: 'docs/reference/error-codes.md', text };
}
