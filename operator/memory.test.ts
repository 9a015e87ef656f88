// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { CACHE_BYTES } from './oci/client.ts';
import { MAX_RESIDENT_BYTES } from './rego/opa.ts';
import { MAX_EVIDENCE_BYTES } from './supply-chain/registry-evidence.ts';
import { JUDGE_LIMITS, JUDGE_YOUNG_MIB } from './image-verification/judge.ts';
import { JUDGE_THREADS } from './image-verification/judge-pool.ts';
import { IMAGES_AT_ONCE } from './image-verification/verifier.ts';
import { MAX_BYTES } from './image-verification/verify.ts';

const VALUES = join(import.meta.dirname, '../charts/nexusos/values.yaml');
const MIB = 1 << 20;
/** What the operator has for all else. */
const OWN_MIB = 256;

test('all that is verified at one time fits into the memory that the chart gives', (t) => {
  const values = parse(readFileSync(VALUES, 'utf8')) as {
    readonly operator: { readonly resources: { readonly limits: { readonly memory: string } } };
  };
  const [, limit] = /^(\d+)Mi$/.exec(values.operator.resources.limits.memory) ?? [];
  const ofImageMiB = (MAX_BYTES + MAX_EVIDENCE_BYTES) / MIB;
  // A thread has a copy of what it judges.
  const judgingMiB = JUDGE_THREADS * (JUDGE_LIMITS.heapMiB + JUDGE_YOUNG_MIB + ofImageMiB);
  const besideMiB = (MAX_RESIDENT_BYTES + CACHE_BYTES) / MIB;
  const mostMiB = OWN_MIB + IMAGES_AT_ONCE * ofImageMiB + judgingMiB + besideMiB;
  t.true(mostMiB <= Number(limit), `${mostMiB} of ${limit} MiB`);
});
