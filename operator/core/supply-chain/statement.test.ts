// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { bindingProblem, readStatement } from './statement.ts';

const DIGEST = 'ab'.repeat(32);
const ANY = 'https://cosign.sigstore.dev/attestation/v1';
const XML = '<bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>';

function statement(change: object): Buffer {
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://slsa.dev/provenance/v1',
      subject: [{ digest: { sha256: DIGEST } }],
      ...change,
    }),
  );
}

/** So many subjects, of which the last is the one that is asked for. */
function subjects(count: number): object {
  const others = Array.from({ length: count - 1 }, (_, index) => ({
    digest: { sha256: index.toString(16).padStart(64, '0') },
  }));
  return { subject: [...others, { digest: { sha256: DIGEST } }] };
}

test('a statement of as many subjects as may be is about the last of them', (t) => {
  const read = readStatement(statement(subjects(1024)));
  if (read.kind !== 'verified') throw new Error(read.message);
  t.is(read.value.subjects.length, 1024);
  t.is(bindingProblem(read.value, `sha256:${DIGEST}`), undefined);
});

const refused: Readonly<Record<string, { readonly change: object; readonly want: object }>> = {
  'one subject more': {
    change: subjects(1025),
    want: { reason: 'TooLarge', message: 'the statement has 1025 subjects; 1024 are allowed' },
  },
  'another type': { change: { _type: 'https://example.com/Statement' }, want: { reason: 'Malformed' } },
  'no kind of predicate': { change: { predicateType: 1 }, want: { reason: 'Malformed' } },
  'a predicate that is a list': { change: { predicate: [] }, want: { reason: 'Malformed' } },
};

for (const [title, { change, want }] of Object.entries(refused)) {
  test(`a statement is not read: ${title}`, (t) => {
    t.like(readStatement(statement(change)), { kind: 'refused', ...want });
  });
}

const named: Readonly<Record<string, { readonly change: object; readonly want: object }>> = {
  'a text is in an object by itself, as cosign has it': {
    change: { predicate: 'text' },
    want: { predicateType: 'https://slsa.dev/provenance/v1', predicate: { Data: 'text' } },
  },
  'a bill of materials in XML has the type of one': {
    change: { predicateType: ANY, predicate: { Data: XML, Timestamp: 'now' } },
    want: { predicateType: 'https://cyclonedx.org/bom' },
  },
  'with something beside it, it has the type that it says': {
    change: { predicateType: ANY, predicate: { Data: XML, components: [] } },
    want: { predicateType: ANY },
  },
  'a text that only names one has the type that it says': {
    change: { predicateType: ANY, predicate: { Data: `see ${XML}` } },
    want: { predicateType: ANY },
  },
  'another type is what it says, whatever the text': {
    change: { predicate: { Data: XML } },
    want: { predicateType: 'https://slsa.dev/provenance/v1' },
  },
};

for (const [title, { change, want }] of Object.entries(named)) {
  test(`a statement is of the type that it says, and one more: ${title}`, (t) => {
    t.like(readStatement(statement(change)), { kind: 'verified', value: want });
  });
}

test('a statement about nothing, or about what is no digest, is about no image', (t) => {
  for (const subject of [[], 'all', [{ digest: { sha256: 1 } }], [{ name: DIGEST }]]) {
    const read = readStatement(statement({ subject }));
    if (read.kind !== 'verified') throw new Error(read.message);
    t.like(bindingProblem(read.value, `sha256:${DIGEST}`), { reason: 'DigestMismatch' });
  }
});
