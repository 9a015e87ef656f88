// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImageVerdict } from '../supply-chain/verdict.ts';
import { judgeImages } from './admit.ts';
import {
  dueAtMs,
  isDue,
  MAX_VERDICT_MESSAGE,
  nextProof,
  type PolicyAsked,
  type ProofSeen,
} from './next-proof.ts';
import { MAX_POLICIES, type Proof, proofStatement, readProof } from './proof.ts';
import type { ImageFindings } from './verification.ts';

const BEGIN = Date.parse('2026-11-01T00:00:00.000Z');
const HOUR = 3_600_000;
const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const IMAGE = 'registry.example/app:1';

function at(ms: number): Date {
  return new Date(BEGIN + ms);
}

function asked(fields: Partial<PolicyAsked['facts']> = {}, digest = 'sha256:p1'): PolicyAsked {
  const facts = {
    kind: 'ClusterImagePolicy',
    name: 'signed',
    uid: 'u1',
    generation: 1,
    images: ['*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
  } as const;
  return { facts: { ...facts, ...fields }, digest };
}

function found(fields: Partial<ImageVerdict> = {}, more: Partial<ImageFindings> = {}): ImageFindings {
  const verdict: ImageVerdict = {
    image: DIGEST,
    policy: 'sha256:p1',
    outcome: 'Verified',
    message: 'all that is asked for was verified',
    checks: [],
    facts: { signers: [] },
    notes: [],
    checkedAt: at(0).toISOString(),
    ...fields,
  };
  return { digest: DIGEST, verdicts: new Map([['u1', verdict]]), checkedAt: at(0), ...more };
}

const UNREACHABLE = { outcome: 'Unknown', reason: 'RegistryUnreachable', message: 'no answer' } as const;

function next(fields: Partial<ProofSeen>): Proof | undefined {
  return nextProof({
    namespace: 'a',
    image: IMAGE,
    policies: [asked()],
    previous: undefined,
    findings: undefined,
    now: at(0),
    ...fields,
  });
}

function first(fields: Partial<ImageVerdict> = {}, policies = [asked()]): Proof {
  const proof = next({ findings: found(fields), policies });
  if (proof === undefined) throw new Error('nothing was proved');
  return proof;
}

test('nothing is proved before anybody has looked', (t) => {
  t.is(next({}), undefined);
});

test('what was found is proved for as long as the policy that is least patient lets it count', (t) => {
  const policies = [asked(), asked({ uid: 'u2', name: 'short', maxAgeSeconds: 600 }, 'sha256:p2')];
  const proof = first({}, policies);
  t.like(proof, { digest: DIGEST, verifiedAt: at(0).toISOString(), expiresAt: at(600_000).toISOString() });
  t.deepEqual(
    proof.policies.map(({ uid }) => uid),
    ['u1'],
    'the other has not been found out about: for that the image waits',
  );
});

for (const { name, age, writes } of [
  { name: 'a moment later', age: 1000, writes: false },
  { name: 'an hour later', age: HOUR, writes: false },
  { name: 'when half of the time is over', age: 12 * HOUR, writes: true },
]) {
  test(`the same found ${name} is ${writes ? 'written' : 'not written'} anew`, (t) => {
    const previous = first();
    const proof = next({ previous, findings: found({}, { checkedAt: at(age) }), now: at(age) });
    t.is(proof === previous, !writes);
    if (writes) t.is(proof?.verifiedAt, at(age).toISOString());
  });
}

for (const { name, given, outcome, isSame } of [
  {
    name: 'a registry that does not answer takes nothing away',
    given: { findings: found(UNREACHABLE, { digest: undefined, checkedAt: at(HOUR) }) },
    outcome: 'Verified',
    isSame: true,
  },
  {
    name: 'nor one that has the image, and not what is attached to it',
    given: { findings: found(UNREACHABLE, { checkedAt: at(HOUR) }) },
    outcome: 'Verified',
    isSame: true,
  },
  {
    name: 'what was known of another image is not said of that which the tag names now',
    given: { findings: found(UNREACHABLE, { digest: OTHER, checkedAt: at(HOUR) }) },
    outcome: 'Unknown',
    isSame: false,
  },
  {
    name: 'a refusal counts at once',
    given: {
      findings: found({ outcome: 'Refused', reason: 'Revoked', message: 'revoked' }, { checkedAt: at(HOUR) }),
    },
    outcome: 'Refused',
    isSame: false,
  },
  {
    name: 'what is only enforced otherwise is no other verdict, and is known as of the policy of now',
    given: { policies: [asked({ generation: 2, enforcement: 'Warn' })] },
    outcome: 'Verified',
    isSame: false,
  },
  {
    name: 'what is too old does not outlive an outage',
    given: {
      findings: found(UNREACHABLE, { digest: undefined, checkedAt: at(24 * HOUR) }),
      now: at(24 * HOUR),
    },
    outcome: 'Unknown',
    isSame: false,
  },
] as const) {
  test(name, (t) => {
    const previous = first();
    const proof = next({ previous, now: at(HOUR), ...given });
    t.is(proof?.policies[0]?.outcome, outcome);
    t.is(proof === previous, isSame);
  });
}

test('an outage makes nothing younger: what is kept was found when it was found', (t) => {
  const policies = [asked(), asked({ uid: 'u2', name: 'new' }, 'sha256:p2')];
  const unknown = found(UNREACHABLE).verdicts.get('u1');
  if (unknown === undefined) throw new Error('there is one');
  const findings: ImageFindings = {
    verdicts: new Map([
      ['u1', unknown],
      ['u2', unknown],
    ]),
    checkedAt: at(HOUR),
  };
  const proof = next({ previous: first(), policies, findings, now: at(HOUR) });
  t.deepEqual(
    proof?.policies.map(({ outcome, verifiedAt }) => ({
      outcome,
      verifiedAt: verifiedAt ?? proof.verifiedAt,
    })),
    [
      { outcome: 'Verified', verifiedAt: at(0).toISOString() },
      { outcome: 'Unknown', verifiedAt: at(HOUR).toISOString() },
    ],
  );
});

test('what is still not known for the same reason is proved as before, however it is worded', (t) => {
  const unknown = (message: string, reason: ImageVerdict['reason'] = 'RegistryUnreachable', ms = 0) =>
    found({ outcome: 'Unknown', reason, message }, { digest: undefined, checkedAt: at(ms) });
  const previous = next({ findings: unknown('did not answer 5 times') });
  const again = { previous, now: at(60_000) };
  t.is(
    next({ ...again, findings: unknown('did not answer 6 times', 'RegistryUnreachable', 60_000) }),
    previous,
  );
  const other = next({ ...again, findings: unknown('come again later', 'RegistryThrottled', 60_000) });
  t.like(other?.policies[0], { reason: 'RegistryThrottled', message: 'come again later' });
});

test('a policy that asks something else is told nothing of what was said before', (t) => {
  const previous = first();
  t.is(next({ previous, policies: [asked({ generation: 2 }, 'sha256:p9')], now: at(HOUR) }), undefined);
});

for (const { name, ageMs, outcome } of [
  { name: 'before what was proved', ageMs: HOUR - 1, outcome: 'Refused' },
  { name: 'when that was', ageMs: HOUR, outcome: 'Verified' },
  { name: 'since', ageMs: HOUR + 1, outcome: 'Verified' },
] as const) {
  test(`what was found ${name} comes to ${outcome}: memory takes nothing back`, (t) => {
    const refusal = found({ outcome: 'Refused', reason: 'Revoked' }, { checkedAt: at(HOUR) });
    const previous = first();
    const proved = next({ previous, findings: refusal, now: at(HOUR) });
    const proof = next({
      previous: proved,
      findings: found({}, { checkedAt: at(ageMs) }),
      now: at(2 * HOUR),
    });
    t.is(proof?.policies[0]?.outcome, outcome);
    t.is(proof === proved, outcome === 'Refused');
  });
}

for (const { name, given, withdrawn } of [
  { name: 'nothing was proved', given: { previous: undefined }, withdrawn: false },
  { name: 'it is as it was', given: {}, withdrawn: false },
  { name: 'a key or a root is another', given: { policies: [asked({}, 'sha256:p9')] }, withdrawn: true },
  { name: 'the policy is another one', given: { policies: [asked({ uid: 'u9' })] }, withdrawn: false },
] as const) {
  test(`what was proved is ${withdrawn ? '' : 'not '}withdrawn where ${name}`, (t) => {
    t.is(isWithdrawn({ policies: [asked()], previous: first(), ...given }), withdrawn);
  });
}

for (const { name, given, due } of [
  { name: 'nobody has looked', given: { previous: undefined }, due: true },
  { name: 'it was found a moment ago', given: { now: at(1000) }, due: false },
  { name: 'a tag may have been moved', given: { now: at(600_000) }, due: true },
  {
    name: 'a digest is the same for longer',
    given: { image: `registry.example/app@${DIGEST}`, now: at(600_000) },
    due: false,
  },
  { name: 'a policy asks something else', given: { policies: [asked({}, 'sha256:p9')] }, due: true },
  { name: 'something was not known', given: { previous: first(UNREACHABLE) }, due: true },
  {
    name: 'a waiver runs out',
    given: { previous: first({ validUntil: at(5000).toISOString() }), now: at(5000) },
    due: true,
  },
] as const) {
  test(`an image ${due ? 'is' : 'is not'} looked at when ${name}`, (t) => {
    const seen = { namespace: 'a', image: IMAGE, policies: [asked()], previous: first(), now: at(1000) };
    t.is(isDue({ ...seen, ...given }), due);
  });
}

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
  const known = { proofOf: () => proof, proofOfDigest: () => undefined };
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
    const policies = Array.from({ length: MAX_POLICIES + 6 }, (_, index) =>
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
    t.is(proof.policies.length, MAX_POLICIES);
    const bytes = Buffer.from(
      JSON.stringify(proofStatement(proof, { id: 'https://nexusos.dev/operator', version: '1' })),
    );
    t.deepEqual(readProof(bytes), { kind: 'verified', value: proof });
    t.is(next({ ...given, previous: proof, now: at(1000) }), proof, 'and is not written anew');
    t.true(proof.policies.every((one) => one.message.length <= MAX_VERDICT_MESSAGE && one.message !== ''));
    t.false(isDue({ namespace: 'a', image, policies, previous: proof, now: at(1000) }));
  });
}
