// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImageVerdict } from '../supply-chain/verdict.ts';
import { isDue, isRefused, isWithdrawn, refusedFreshMs } from './next-proof.ts';
import type { Proof } from './proof.ts';
import type { ImageFindings } from './verification.ts';
import { asked, at, DIGEST, first, found, HOUR, IMAGE, next, OTHER, UNREACHABLE } from './testing/proofs.ts';

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

const untold = (message: string, reason: ImageVerdict['reason'] = 'RegistryUnreachable', ms = 0) =>
  found({ outcome: 'Unknown', reason, message }, { digest: undefined, checkedAt: at(ms) });

test('what is still not known for the same reason is proved as before, however it is worded', (t) => {
  const previous = next({ findings: untold('did not answer 5 times') });
  const again = { previous, now: at(60_000) };
  t.is(
    next({ ...again, findings: untold('did not answer 6 times', 'RegistryUnreachable', 60_000) }),
    previous,
  );
  const other = next({ ...again, findings: untold('come again later', 'RegistryThrottled', 60_000) });
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

for (const [times, seconds] of [
  [0, Infinity],
  [1, 30],
  [2, 60],
  [3, 120],
  [4, 240],
  [2000, Infinity],
] as const) {
  test(`an image that was refused ${times} times in a row is looked at again after ${seconds} s at most`, (t) => {
    t.is(refusedFreshMs(times, false), seconds * 1000);
    t.is(refusedFreshMs(times, true), times === 0 ? Infinity : 15_000, 'sooner where it was tried');
  });
}

for (const { name, previous, want } of [
  { name: 'nothing was proved', previous: undefined, want: false },
  { name: 'it was verified', previous: first(), want: false },
  { name: 'it could not be told', previous: first(UNREACHABLE), want: false },
  { name: 'a policy refused it', previous: first({ outcome: 'Refused', reason: 'NoSignature' }), want: true },
  { name: 'one of two refused it', previous: twice('Verified', 'Refused'), want: true },
] as const) {
  test(`an image ${want ? 'is' : 'is not'} refused where ${name}`, (t) => {
    t.is(isRefused(previous), want);
  });
}

function twice(...outcomes: readonly ImageVerdict['outcome'][]): Proof | undefined {
  const verdicts = new Map(
    outcomes.map((outcome, index) => [`u${index}`, found({ outcome }).verdicts.get('u1')!] as const),
  );
  const policies = outcomes.map((_, index) => asked({ uid: `u${index}`, name: `p${index}` }));
  return next({ policies, findings: found({}, { verdicts }) });
}
