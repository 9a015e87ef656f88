// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImageVerdict, SignerFact } from '../supply-chain/verdict.ts';
import { fitted, MAX_STATEMENT, type PolicyVerdict, type Proof, proofStatement, readProof } from './proof.ts';
import { type ProvenFacts, provenFacts } from './proven-facts.ts';
import { asked, found, next, UNREACHABLE } from './testing/proofs.ts';

type Facts = ImageVerdict['facts'];

const SIGNER: SignerFact = { authority: 'release', fingerprint: 'f1', states: ['signature'] };
const told = (facts: Partial<Facts>, checks: ImageVerdict['checks'] = []): ProvenFacts =>
  provenFacts({ checks, facts: { signers: [], ...facts } });

test('parts that a policy asks are told with what they came to, and no others', (t) => {
  const { checks } = told({}, [
    { name: 'signatures', outcome: 'Verified', message: 'by release' },
    { name: 'sbom', outcome: 'Refused', reason: 'SbomInvalid', message: 'no name' },
    { name: 'platforms', outcome: 'Verified', message: '' },
  ]);
  t.deepEqual(checks, {
    signatures: { outcome: 'Verified' },
    sbom: { outcome: 'Refused', reason: 'SbomInvalid' },
  });
});

test('each fact says whose word it is', (t) => {
  const counts = { Critical: 1, High: 2, Medium: 3, Low: 4, Unscored: 5 };
  const scannedAt = '2026-11-01T00:00:00Z';
  const facts = told({
    signers: [SIGNER],
    provenance: { by: 'ci', builder: 'b', buildType: 't', source: 's', level: 3 },
    sbom: { by: 'ci', format: 'SPDX 2.3', components: 2, withoutLicence: 1, licences: [] },
    vulnerabilities: { by: 'scanner', counts, excluded: 6, waived: 7, scannedAt },
  });
  t.deepEqual(facts.signers, [SIGNER]);
  t.like(facts, { provenance: { by: 'ci', level: 3 }, sbom: { by: 'ci', withoutLicence: 1 } });
  t.deepEqual(facts.vulnerabilities, {
    by: 'scanner',
    critical: 1,
    high: 2,
    medium: 3,
    low: 4,
    unscored: 5,
    excluded: 6,
    waived: 7,
    scannedAt,
  });
});

test('signers have one order, whatever order their signatures came in', (t) => {
  const others = ['f3', 'f2', 'f4'].map((fingerprint) => ({ ...SIGNER, fingerprint }));
  t.deepEqual(told({ signers: others }), told({ signers: others.toReversed() }));
});

test('what is too much, or too long, is not told, and that is said; nothing is cut to what may be another', (t) => {
  const many = Array.from({ length: 20 }, (_, index) => ({ ...SIGNER, fingerprint: `f${index}` }));
  const { signers, signersLeftOut } = told({ signers: many });
  t.is(signers.length + signersLeftOut, 20);
  t.is(signers.length, 8);
  const long = { ...SIGNER, issuer: 'https://issuer.example', subject: 's'.repeat(600) };
  t.like(told({ signers: [long] }), { signers: [], signersLeftOut: 1 });
  const provenance = { by: 'ci', builder: 'b'.repeat(600), buildType: '', source: '', level: 1 };
  t.is(told({ provenance }).provenance, undefined);
  const licences = Array.from({ length: 100 }, (_, index) => ({ licence: `L-${index}`, components: 2 }));
  const odd = { licence: 'x'.repeat(200), components: 5 };
  const sbom = { by: 'ci', format: 'f', components: 205, withoutLicence: 0, licences: [odd, ...licences] };
  const listed = told({ sbom }).sbom;
  t.is(listed?.licences.length, 64);
  t.is(listed?.licencesLeftOut, 5 + 36 * 2);
});

const LARGE = told({
  signers: Array.from({ length: 8 }, (_, index) => ({
    ...SIGNER,
    fingerprint: `${index}`.repeat(64),
    issuer: 'i'.repeat(500),
    subject: 's'.repeat(500),
  })),
});

function proofOf(kinds: readonly PolicyVerdict['kind'][], message = ''): Proof {
  return {
    namespace: 'team',
    image: 'registry.example/app:1',
    digest: `sha256:${'a'.repeat(64)}`,
    verifiedAt: '2026-11-23T12:00:00.000Z',
    expiresAt: '2026-11-24T12:00:00.000Z',
    policies: kinds.map((kind, index) => ({
      kind,
      name: `p${index}`,
      uid: `u${index}`,
      generation: 1,
      digest: `sha256:${'b'.repeat(64)}`,
      outcome: 'Verified',
      message,
      facts: LARGE,
    })),
  };
}

test('where there is no room for all facts, those of the platform are told first', (t) => {
  const kinds = [
    ...Array.from({ length: 4 }, () => 'ClusterImagePolicy' as const),
    ...Array.from({ length: 8 }, () => 'ImagePolicy' as const),
  ];
  const { policies } = fitted(proofOf(kinds));
  t.true(policies.slice(0, 4).every(({ facts }) => facts !== undefined));
  t.true(policies.slice(4).some(({ facts }) => facts === undefined));
  t.is(policies.length, 12);
});

for (const count of [1, 8, 64]) {
  test(`what is left of ${count} policies with all they state can be read`, (t) => {
    const proof = fitted(
      proofOf(
        Array.from({ length: count }, () => 'ClusterImagePolicy'),
        'm'.repeat(500),
      ),
    );
    const bytes = Buffer.from(JSON.stringify(proofStatement(proof, { id: 'x', version: '1' })));
    t.true(bytes.length <= MAX_STATEMENT, `${bytes.length}`);
    t.deepEqual(readProof(bytes), { kind: 'verified', value: proof });
  });
}

test('facts that are none make no proof', (t) => {
  const [first] = proofOf(['ClusterImagePolicy']).policies;
  for (const facts of [7, [], {}, { checks: {} }, { ...LARGE, sbom: 1 }, { ...LARGE, provenance: {} }]) {
    const proof = { ...proofOf([]), policies: [{ ...first, facts }] } as unknown as Proof;
    const bytes = Buffer.from(JSON.stringify(proofStatement(proof, { id: 'x', version: '1' })));
    t.is(readProof(bytes).kind, 'refused', JSON.stringify(facts));
  }
});

test('of what could not be told nothing is stated, and what was stated before goes on to be', (t) => {
  const facts = { facts: { signers: [SIGNER] } };
  const before = next({ findings: found(facts) });
  t.deepEqual(before?.policies[0]?.facts?.signers, [SIGNER]);
  t.is(next({ findings: found({ ...UNREACHABLE, ...facts }) })?.policies[0]?.facts, undefined);
  const kept = next({ previous: before, findings: found({ ...UNREACHABLE, ...facts }) });
  t.is(kept, before, 'and nothing is written');
  const others = next({
    previous: before,
    findings: found(facts),
    policies: [asked({}, 'sha256:p2')],
  });
  t.deepEqual(others?.policies[0]?.facts?.signers, [SIGNER]);
});
