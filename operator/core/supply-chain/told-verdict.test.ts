// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { provenFacts } from '../images/proven-facts.ts';
import { toldVerdict } from './told-verdict.ts';
import type { ImageFacts, ImageVerdict, SignerFact } from './verdict.ts';

const SIGNER: SignerFact = { authority: 'release', fingerprint: 'f', states: ['signature'] };

function verdict(more: Partial<ImageVerdict> = {}, facts: Partial<ImageFacts> = {}): ImageVerdict {
  return {
    image: 'sha256:a',
    policy: 'sha256:b',
    outcome: 'Verified',
    message: 'all that is asked for was verified',
    checks: [{ name: 'signatures', outcome: 'Verified', message: 'signed by release' }],
    facts: { signers: [SIGNER], ...facts },
    notes: ['a note'],
    checkedAt: '2026-11-23T12:00:00.000Z',
    ...more,
  };
}

const signers = (count: number, subject = 'somebody'): readonly SignerFact[] =>
  Array.from({ length: count }, (_, index) => ({
    ...SIGNER,
    fingerprint: `f${String(count - index).padStart(6, '0')}`,
    issuer: 'https://issuer.example',
    subject,
  }));

const licences = (count: number, letters = 8) =>
  Array.from({ length: count }, (_, index) => ({
    licence: `L${index}`.padEnd(letters, '-'),
    components: 2,
  }));

const sbomOf = (all: ReturnType<typeof licences>) => ({
  by: 'ci',
  format: 'CycloneDX 1.6',
  components: 2 * all.length,
  withoutLicence: 0,
  licences: all,
});

const provenanceOf = (text: string) => ({
  by: 'ci',
  level: 3,
  builder: text,
  buildType: text,
  source: text,
});

test('what is usual is told as it is', (t) => {
  const usual = verdict(
    {},
    { signers: signers(3), sbom: sbomOf(licences(64)), provenance: provenanceOf('b') },
  );
  t.deepEqual(toldVerdict(usual), usual);
});

test('of too many licences the most frequent are told, and how many components have others', (t) => {
  const { facts } = toldVerdict(verdict({}, { sbom: sbomOf([...licences(1, 200), ...licences(100)]) }));
  t.is(facts.sbom?.licences.length, 64);
  t.is(facts.sbom?.licencesLeftOut, 2 + 36 * 2);
});

test('of too many signers those are told that come first by their keys, in whatever order they were found', (t) => {
  const many = signers(100);
  const told = toldVerdict(verdict({}, { signers: many })).facts;
  t.is(told.signers.length, 64);
  t.is(told.signersLeftOut, 36);
  t.deepEqual(told, toldVerdict(verdict({}, { signers: many.toReversed() })).facts);
  const long = toldVerdict(verdict({}, { signers: [...signers(1, 's'.repeat(3000)), SIGNER] })).facts;
  t.deepEqual(long, { signers: [SIGNER], signersLeftOut: 1 });
});

/** What is told to rules, which is less, is the same of the whole and of what is told. */
const SAME: Readonly<Record<string, Partial<ImageFacts>>> = {
  'many licences': { sbom: sbomOf(licences(5000)) },
  'long licences': { sbom: sbomOf(licences(50, 500)) },
  'many signers': { signers: signers(300) },
  'signers with long names': { signers: [...signers(3, 's'.repeat(600)), ...signers(9)] },
  'a long builder': { provenance: provenanceOf('b'.repeat(100_000)) },
  'a builder': { provenance: provenanceOf('b'.repeat(512)) },
};

for (const [name, facts] of Object.entries(SAME)) {
  test(`rules are told the same: ${name}`, (t) => {
    const whole = verdict({}, facts);
    const told = toldVerdict(whole);
    t.deepEqual(provenFacts(told), provenFacts(whole));
    t.deepEqual(toldVerdict(told), told, 'what is told is not cut again');
  });
}

test('whatever is stated, a verdict is not long', (t) => {
  const long = 'é'.repeat(1 << 20);
  const checks = Array.from({ length: 1000 }, () => ({
    name: 'platforms' as const,
    outcome: 'Verified' as const,
    message: long,
  }));
  const notes = Array.from({ length: 16 }, () => long);
  const worst = verdict(
    { message: long, checks, notes },
    {
      signers: signers(2000, 's'.repeat(2000)),
      provenance: provenanceOf(long),
      sbom: { ...sbomOf(licences(10_000, 128)), format: long },
    },
  );
  const { length } = JSON.stringify(toldVerdict(worst));
  t.true(length < 256 << 10, `${length} letters`);
});

for (const letter of ['\u0001', '\ud800', '\uffff', '"']) {
  test(`as it is sent, a verdict is less than a mebibyte, also of letters that are escaped: ${JSON.stringify(letter)}`, (t) => {
    const text = letter.repeat(1 << 20);
    const name = letter.repeat(2048);
    const check = { name: 'signatures', outcome: 'Refused', reason: 'WrongKey', message: text } as const;
    const told = toldVerdict(
      verdict(
        {
          message: text,
          checks: Array.from({ length: 100 }, () => check),
          notes: Array.from({ length: 16 }, () => text),
        },
        {
          signers: signers(100).map((one) => ({ ...one, issuer: name, subject: name })),
          provenance: provenanceOf(text),
          sbom: sbomOf(
            licences(100).map((one, index) => ({ ...one, licence: letter.repeat(100 + (index % 28)) })),
          ),
        },
      ),
    );
    const bytes = Buffer.byteLength(JSON.stringify(told));
    t.true(bytes < 1 << 20, `${bytes} bytes`);
    t.true(told.facts.signers.length > 0);
    t.is(told.facts.signers.length + (told.facts.signersLeftOut ?? 0), 100);
    t.deepEqual(toldVerdict(told), told, 'what is told is told as it is');
  });
}
