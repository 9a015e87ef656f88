// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { MANIFEST_LIMITS } from './core/oci/manifest.ts';
import { CACHE_BYTES } from './oci/client.ts';
import { MAX_RESIDENT_BYTES } from './rego/opa.ts';
import { LARGE_AT_ONCE, MAX_BYTES, SMALL_BYTES } from './image-verification/evidence-room.ts';
import { JUDGE_LIMITS } from './image-verification/judge.ts';
import { JUDGE_PROCESSES } from './image-verification/judge-pool.ts';
import { IMAGES_AT_ONCE } from './image-verification/verifier.ts';

const VALUES = join(import.meta.dirname, '../charts/nexusos/values.yaml');
const MIB = 1 << 20;
/** Of a process that judges, with its young generation. */
const JUDGE_PROGRAM_MIB = 112;
/** Outside of the heap: the memory of libxml2 with the worst that is let in (read-xml.ts), as large as it was measured. */
const XML_MIB = 130;
/** What the operator has for all else. */
const OWN_MIB = 256;

test('all that is verified at one time fits into the memory that the chart gives', (t) => {
  const values = parse(readFileSync(VALUES, 'utf8')) as {
    readonly operator: { readonly resources: { readonly limits: { readonly memory: string } } };
  };
  const [, limit] = /^(\d+)Mi$/.exec(values.operator.resources.limits.memory) ?? [];
  // A process has a copy of what it judges, beside its heap and its program.
  const { heapMiB, residentMiB } = JUDGE_LIMITS;
  t.true(
    heapMiB + MAX_BYTES / MIB + JUDGE_PROGRAM_MIB + XML_MIB <= residentMiB,
    'none is ended that is within its heap, with the worst XML beside it',
  );
  const judgingMiB = JUDGE_PROCESSES * residentMiB;
  const besideMiB = (MAX_RESIDENT_BYTES + CACHE_BYTES) / MIB;
  // Beside what is attached, each has one manifest that is being read.
  const ofEachMiB = (SMALL_BYTES + MANIFEST_LIMITS.bytes) / MIB;
  const gatheredMiB = IMAGES_AT_ONCE * ofEachMiB + (LARGE_AT_ONCE * MAX_BYTES) / MIB;
  const mostMiB = OWN_MIB + gatheredMiB + judgingMiB + besideMiB;
  t.true(mostMiB <= Number(limit), `${mostMiB} of ${limit} MiB`);
});
