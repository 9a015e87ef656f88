// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MAX_VERDICT_POLICIES } from '#crds/v1alpha1/image-verdict';
import type { ImageVerdict } from '../supply-chain/verdict.ts';
import { judgeImages } from './admit.ts';
import { MAX_VERDICT_MESSAGE } from '../supply-chain/told-verdict.ts';
import { dueAtMs, isDue, type PolicyAsked } from './next-proof.ts';
import { type Proof, proofStatement, readProof } from './proof.ts';
import {
  asked,
  at,
  BEGIN,
  DIGEST,
  first,
  found,
  HOUR,
  IMAGE,
  next,
  OTHER,
  UNREACHABLE,
} from './testing/proofs.ts';
import type { ImageFindings } from './verification.ts';

const STRICT = asked();
/** Of which a verdict counts for an hour. */
const HASTY = asked({ uid: 'u2', name: 'hasty', maxAgeSeconds: 3600, unknown: 'Allow' }, 'sha256:p2');

function foundOfAll(
  policies: readonly PolicyAsked[],
  { ms, of = {}, digest = DIGEST }: { ms: number; of?: Partial<ImageVerdict>; digest?: string | undefined },
): ImageFindings {
  const one = found(of).verdicts.get('u1');
  if (one === undefined) throw new Error('there is one');
  const verdicts = new Map(policies.map(({ facts }) => [facts.uid, one]));
  return { ...(digest !== undefined && { digest }), verdicts, checkedAt: at(ms) };
}

function admitted(proof: Proof | undefined, policies: readonly PolicyAsked[], ms: number) {
  const known = { proofOf: () => proof, proofsOfDigest: () => [] };
  const uses = [{ field: 'image', image: IMAGE }];
  const facts = policies.map((one) => one.facts);
  const { findings } = judgeImages({ uses, policies: facts, known, now: at(ms) });
  return findings.map(({ kind, policy }) => `${policy.name} ${kind}`);
}

test('one policy that lets a verdict count for less takes nothing from another while a registry is down', (t) => {
  const policies = [STRICT, HASTY];
  let previous = next({ policies, findings: foundOfAll(policies, { ms: 0 }) });
  t.deepEqual(admitted(previous, policies, 1000), []);
  let writes = 0;
  for (let ms = HOUR / 12; ms <= 26 * HOUR; ms += HOUR / 12) {
    const findings = { ...foundOfAll(policies, { ms, of: UNREACHABLE }), digest: undefined };
    const proof = next({ policies, previous, findings, now: at(ms) });
    if (proof !== previous) writes += 1;
    previous = proof;
    // What is not known of the hasty one is allowed; the strict one is content for a day, and no longer.
    t.deepEqual(admitted(proof, policies, ms), ms < 24 * HOUR ? [] : ['signed Unknown'], `after ${ms} ms`);
  }
  t.true(writes <= 2 * 26 + 2, `${writes} writes: at most twice in the hour that the hasty one counts for`);
});

test('what is found beside what is kept counts from when it was found', (t) => {
  const policies = [STRICT, HASTY];
  const findings = foundOfAll(policies, { ms: 5 * HOUR, of: UNREACHABLE });
  const verified = found().verdicts.get('u1')!;
  const mixed = { ...findings, verdicts: new Map([...findings.verdicts, ['u2', verified]]) };
  const proof = next({ policies, previous: first(), findings: mixed, now: at(5 * HOUR) });
  t.deepEqual(admitted(proof, policies, 5.5 * HOUR), []);
  t.true(
    isDue({ namespace: 'a', image: IMAGE, policies, previous: proof, now: at(5 * HOUR + 1000) }),
    'what is kept is asked about again',
  );
  const again = next({
    policies,
    previous: proof,
    findings: foundOfAll(policies, { ms: 6 * HOUR }),
    now: at(6 * HOUR),
  });
  t.deepEqual(
    again?.policies.map(({ verifiedAt }) => verifiedAt),
    [undefined, undefined],
    'what is known again is as young as the rest',
  );
});

test('an image that stays as it is is written twice a day, however often it is looked at', (t) => {
  const policies = [STRICT];
  let previous: Proof | undefined;
  let [writes, looks] = [0, 0];
  for (let ms = 0; ms < 240 * HOUR; ms += HOUR / 12) {
    const seen = { policies, previous, now: at(ms) };
    const isAsked = isDue({ namespace: 'a', image: IMAGE, ...seen });
    if (isAsked) looks += 1;
    const proof = next({ ...seen, findings: isAsked ? foundOfAll(policies, { ms }) : undefined });
    if (proof !== previous) writes += 1;
    previous = proof;
    t.deepEqual(admitted(proof, policies, ms), []);
  }
  t.is(writes, 20);
  t.true(looks >= 10 * 24 * 5, `${looks} looks`);
});

for (const { name, given } of [
  { name: 'policies that are listed in another order', given: { policies: [HASTY, STRICT] } },
  { name: 'nobody who looked since', given: { findings: undefined } },
]) {
  test(`what is the same is not written anew: ${name}`, (t) => {
    const policies = [STRICT, HASTY];
    const previous = next({ policies, findings: foundOfAll(policies, { ms: 0 }) });
    const findings = foundOfAll(policies, { ms: 60_000 });
    t.is(next({ policies, previous, findings, now: at(60_000), ...given }), previous);
  });
}

for (const { name, given, said } of [
  {
    name: 'another key, root or waiver',
    given: { policies: [asked({}, 'sha256:p9'), HASTY], findings: undefined },
    said: ['hasty Verified'],
  },
  {
    name: 'a policy that was deleted and made anew',
    given: { policies: [asked({ uid: 'u9' }), HASTY], findings: undefined },
    said: ['hasty Verified'],
  },
  {
    name: 'a policy that is gone',
    given: { policies: [HASTY], findings: undefined },
    said: ['hasty Verified'],
  },
  {
    name: 'a tag that was moved',
    given: { findings: foundOfAll([STRICT, HASTY], { ms: 60_000, digest: OTHER }) },
    said: ['signed Verified', 'hasty Verified'],
  },
  {
    name: 'a key that is another one while the registry is down',
    given: {
      policies: [asked({}, 'sha256:p9'), HASTY],
      findings: { ...foundOfAll([STRICT, HASTY], { ms: 60_000, of: UNREACHABLE }), digest: undefined },
    },
    said: ['signed Unknown', 'hasty Verified'],
  },
  {
    name: 'a refusal beside what could not be told',
    given: {
      findings: {
        digest: DIGEST,
        checkedAt: at(60_000),
        verdicts: new Map([
          ['u1', found(UNREACHABLE).verdicts.get('u1')!],
          ['u2', found({ outcome: 'Refused', reason: 'Revoked', message: 'revoked' }).verdicts.get('u1')!],
        ]),
      },
    },
    said: ['signed Verified', 'hasty Refused'],
  },
] as const) {
  test(`what is another thing to say is said at once: ${name}`, (t) => {
    const policies = [STRICT, HASTY];
    const previous = next({ policies, findings: foundOfAll(policies, { ms: 0 }) });
    const proof = next({ policies, previous, now: at(60_000), ...given });
    t.not(proof, previous);
    t.deepEqual(
      proof?.policies.map((one) => `${one.name} ${one.outcome}`),
      said,
    );
    if (name.startsWith('a tag')) t.is(proof?.digest, OTHER);
  });
}

test('what a waiver made pass is over with it, and is asked about then', (t) => {
  const until = at(2 * HOUR).toISOString();
  const previous = first({ validUntil: until });
  const pinned = { image: `registry.example/app@${DIGEST}`, policies: [STRICT], previous };
  t.is(dueAtMs(pinned), BEGIN + HOUR);
  const down = { ...foundOfAll([STRICT], { ms: 2 * HOUR, of: UNREACHABLE }), digest: undefined };
  t.is(next({ previous, findings: down, now: at(2 * HOUR - 1) }), previous);
  const over = next({ previous, findings: down, now: at(2 * HOUR) });
  t.is(over?.policies[0]?.outcome, 'Unknown');
  t.true(isDue({ namespace: 'a', ...pinned, now: at(2 * HOUR) }));
});

for (const { name, message } of [
  { name: 'of plain letters', message: 'x'.repeat(4000) },
  { name: 'of letters that take several bytes', message: '\u{1F600}'.repeat(4000) },
  { name: 'of characters that are written as escapes', message: '\u0001'.repeat(4000) },
]) {
  test(`a proof by as many policies as there may be can be read: messages ${name}`, (t) => {
    const policies = Array.from({ length: MAX_VERDICT_POLICIES }, (_, index) =>
      asked(
        {
          uid: `${index}`.padStart(36, '0'),
          name: `${index}`.padStart(253, 'p'),
          generation: Number.MAX_SAFE_INTEGER,
        },
        `sha256:${'c'.repeat(64)}`,
      ),
    );
    const image = `registry.example/${'a'.repeat(1000)}:1`;
    const of = {
      outcome: 'Refused',
      reason: 'EvidenceIncomplete',
      message,
      validUntil: at(HOUR).toISOString(),
    } as const;
    const given = { image, policies, findings: foundOfAll(policies, { ms: 0, of }) };
    const proof = next(given)!;
    t.is(proof.policies.length, MAX_VERDICT_POLICIES);
    const bytes = Buffer.from(
      JSON.stringify(proofStatement(proof, { id: 'https://nexusos.dev/operator', version: '1' })),
    );
    t.deepEqual(readProof(bytes), { kind: 'verified', value: proof });
    t.is(next({ ...given, previous: proof, now: at(1000) }), proof, 'and is not written anew');
    t.true(proof.policies.every((one) => one.message.length <= MAX_VERDICT_MESSAGE));
    t.false(isDue({ namespace: 'a', image, policies, previous: proof, now: at(1000) }));
  });
}
