// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImagePolicyFacts } from '#operator/core/images/policy';
import { parseReference } from '#operator/core/oci/reference';
import type { ImageVerdict } from '#operator/core/supply-chain/verdict';
import type { ExitCode } from '../cli/command.ts';
import { type NamedVerdict, outcomeOf } from './told.ts';

function said(change: Partial<ImagePolicyFacts>, verdict: Partial<ImageVerdict>): NamedVerdict {
  const facts = {
    kind: 'ClusterImagePolicy',
    name: 'one',
    enforcement: 'Enforce',
    unknown: 'Deny',
    ...change,
  };
  const found = {
    outcome: 'Verified',
    message: '',
    checks: [],
    facts: { signers: [] },
    notes: [],
    ...verdict,
  };
  return { name: 'ClusterImagePolicy one', facts, verdict: found, notes: [] } as unknown as NamedVerdict;
}

const good = said({}, {});
const bad = said({}, { outcome: 'Refused', reason: 'NoSignature' });
const warned = said({ enforcement: 'Warn' }, { outcome: 'Refused', reason: 'NoSignature' });
const silent = said({ unknown: 'Allow' }, { outcome: 'Unknown', reason: 'RegistryUnreachable' });
const gone = said({ unknown: 'Allow' }, { outcome: 'Unknown', reason: 'ImageNotFound' });

/** What all of them come to: the outcome, the exit code, and what becomes of pods. */
const cases: Readonly<Record<string, readonly [readonly NamedVerdict[], string, ExitCode, string]>> = {
  'all verify it': [[good, good], 'Verified', 0, 'Start'],
  'one refuses it': [[good, bad, silent], 'Refused', 1, 'DoNotStart'],
  'one warns of it': [[good, warned], 'Refused', 1, 'StartWithWarning'],
  'one warns and one refuses': [[warned, bad], 'Refused', 1, 'DoNotStart'],
  'nobody answers, which may be': [[silent], 'Unknown', 3, 'Start'],
  'it is not there, which no policy lets pass': [[gone], 'Unknown', 3, 'DoNotStart'],
};

for (const [title, [verdicts, outcome, code, pods]] of Object.entries(cases)) {
  test(`what verdicts come to: ${title}`, (t) => {
    const read = parseReference('registry.example/app:1');
    if (read.kind !== 'ok') throw new Error(read.found);
    const about = { reference: read.reference, digest: undefined, place: undefined, notes: [] };
    const told = outcomeOf(about, verdicts);
    t.is(told.code, code);
    t.like(told.value, { outcome, pods });
  });
}
