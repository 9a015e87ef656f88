// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMAGE_VERDICT, MAX_PROOF } from '#crds/v1alpha1/image-verdict';
import { isDeepEqual } from '../compare.ts';
import type { Check, ImageVerdict, SignerFact } from '../supply-chain/verdict.ts';
import type { PolicyVerdict, Proof } from './proof.ts';
import { type ImageVerdictObject, planImageVerdict, type VerdictObserved } from './verdict-plan.ts';
import type { ImageFindings } from './verification.ts';
import { verdictOn } from './wanted.ts';

const NOW = new Date('2026-11-01T00:00:00.000Z');
const LATER = new Date('2026-11-01T06:00:00.000Z');
const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;

function says(fields: Partial<PolicyVerdict> = {}): PolicyVerdict {
  return {
    kind: 'ClusterImagePolicy',
    name: 'signed',
    uid: 'u1',
    generation: 1,
    digest: 'sha256:p1',
    outcome: 'Verified',
    message: 'all that is asked for was verified',
    ...fields,
  };
}

function proof(policies: readonly PolicyVerdict[] = [says()], more: Partial<Proof> = {}): Proof {
  return {
    namespace: 'a',
    image: 'registry.example/app:1',
    digest: DIGEST,
    verifiedAt: NOW.toISOString(),
    expiresAt: LATER.toISOString(),
    policies,
    ...more,
  };
}

const CHECK: Check = { name: 'signatures', outcome: 'Verified', message: 'signed by builder' };
const SIGNER: SignerFact = { authority: 'builder', fingerprint: 'f1', states: ['signature'] };
const REFUSED = { outcome: 'Refused', reason: 'WrongKey', message: 'by somebody else' } as const;
const UNKNOWN = { outcome: 'Unknown', reason: 'RegistryUnreachable', message: 'no answer' } as const;
const NO_FACTS = { facts: { signers: [] } };

function found(
  verdicts: Readonly<Record<string, Partial<ImageVerdict>>> = { u1: {} },
  more: Partial<ImageFindings> = {},
): ImageFindings {
  const all = Object.entries(verdicts).map(([uid, fields]): readonly [string, ImageVerdict] => [
    uid,
    {
      image: DIGEST,
      policy: 'sha256:p1',
      outcome: 'Verified',
      message: 'all that is asked for was verified',
      checks: [CHECK],
      facts: { signers: [SIGNER] },
      notes: [],
      checkedAt: NOW.toISOString(),
      ...fields,
    },
  ]);
  return { digest: DIGEST, verdicts: new Map(all), checkedAt: NOW, ...more };
}

function object(status?: ImageVerdictObject['status']): ImageVerdictObject {
  const made = verdictOn('registry.example/app:1', 'a');
  const metadata = { ...made.metadata, uid: 'v1', generation: 1 };
  return { ...made, metadata, ...(status !== undefined && { status }) };
}

function seen(fields: Partial<VerdictObserved> = {}): VerdictObserved {
  const base = { proof: proof(), sealed: 'sealed-1', findings: found(), isAsked: true, againMs: 1000 };
  return { ...base, ...fields };
}

/** What the object says after a pass. */
function after(fields: Partial<VerdictObserved> = {}, before = object()): ImageVerdictObject {
  return object(planImageVerdict(before, seen(fields), NOW).status);
}

function condition({ status }: ImageVerdictObject) {
  const { status: is, reason, message } = status?.conditions?.[0] ?? {};
  return { is, reason, message };
}

test('a verdict tells what is proved, and what it was found by', (t) => {
  const { status } = after();
  t.like(status, { digest: DIGEST, proof: 'sealed-1', verifiedAt: NOW.toISOString() });
  t.deepEqual(status?.policies, [
    {
      kind: 'ClusterImagePolicy',
      name: 'signed',
      outcome: 'Verified',
      message: 'all that is asked for was verified',
      checks: [{ name: 'signatures', outcome: 'Verified', message: 'signed by builder' }],
    },
  ]);
  t.deepEqual(status?.facts, { signers: [SIGNER] });
  t.like(condition(after()), { is: 'True', reason: 'Verified' });
});

for (const { name, given } of [
  { name: 'the same is proved', given: {} },
  { name: 'the same is proved, and more was found that nobody goes by', given: { findings: found({}) } },
  { name: 'nobody has looked since', given: { findings: undefined } },
  { name: 'no policy asks any more', given: { isAsked: false, proof: undefined, sealed: undefined } },
  { name: 'nothing can be proved yet', given: { proof: undefined, sealed: undefined } },
  { name: 'there is no key to sign with', given: { sealed: undefined } },
]) {
  test(`nothing is written where ${name}`, (t) => {
    const before = after();
    const plan = planImageVerdict(before, seen(given), LATER);
    t.is(plan.status, before.status);
    t.like(plan, { apply: [], create: [], remove: [], events: [] });
  });
}

test('a verdict that was made and of which nothing is known says nothing', (t) => {
  t.is(after({ proof: undefined, sealed: undefined, findings: undefined }).status, undefined);
});

for (const { againMs, kind } of [
  { againMs: undefined, kind: 'done' },
  { againMs: 5000, kind: 'requeueAfter' },
] as const) {
  test(`where it is to be looked at again in ${againMs} ms, it is ${kind}`, (t) => {
    t.is(planImageVerdict(object(), seen({ againMs }), NOW).result.kind, kind);
  });
}

test('what is only signed anew, as after another key, changes nothing but the signature', (t) => {
  const before = after();
  const { status } = planImageVerdict(before, seen({ sealed: 'sealed-2' }), LATER);
  t.is(status?.proof, 'sealed-2');
  t.true(isDeepEqual({ ...status, proof: '' }, { ...before.status, proof: '' }));
});

for (const { name, policies, want } of [
  {
    name: 'all are content',
    policies: [says(), says({ uid: 'u2' })],
    want: { is: 'True', reason: 'Verified' },
  },
  {
    name: 'one refuses, behind one that cannot tell',
    policies: [says(UNKNOWN), says({ ...REFUSED, uid: 'u2', kind: 'ImagePolicy', name: 'own' })],
    want: { is: 'False', reason: 'WrongKey', message: 'ImagePolicy own: by somebody else' },
  },
  {
    name: 'one cannot tell',
    policies: [says(), says({ ...UNKNOWN, uid: 'u2' })],
    want: { is: 'Unknown', reason: 'RegistryUnreachable', message: 'ClusterImagePolicy signed: no answer' },
  },
  {
    name: 'no reason is given',
    policies: [says({ outcome: 'Refused' })],
    want: { is: 'False', reason: 'Refused' },
  },
]) {
  test(`one condition for all policies: ${name}`, (t) => {
    t.like(condition(after({ proof: proof(policies), findings: undefined })), want);
  });
}

test('the time of the condition is that of the change, not that of a renewal', (t) => {
  const before = after();
  const renewed = planImageVerdict(before, seen({ sealed: 'sealed-2' }), LATER).status;
  t.is(renewed?.conditions?.[0]?.lastTransitionTime, '2026-11-01T00:00:00Z');
  const turned = { proof: proof([says(REFUSED)]), findings: found({ u1: REFUSED }), sealed: 'sealed-3' };
  const refused = planImageVerdict(before, seen(turned), LATER).status;
  t.is(refused?.conditions?.[0]?.lastTransitionTime, '2026-11-01T06:00:00Z');
});

test('of what is kept while it could not be told, the checks are those that it was found by', (t) => {
  const second = says({ uid: 'u2', name: 'second', ...UNKNOWN });
  const given = {
    proof: proof([says(), second]),
    findings: found({
      u1: { ...UNKNOWN, checks: [], ...NO_FACTS },
      u2: { ...UNKNOWN, checks: [], ...NO_FACTS },
    }),
    sealed: 'sealed-2',
  };
  const { status } = after(given, after());
  t.is(status?.policies?.[0]?.checks?.[0]?.message, CHECK.message);
  t.deepEqual(status?.policies?.[1]?.checks, []);
  t.deepEqual(status?.facts, { signers: [SIGNER] }, 'and what was stated then is told still');
});

for (const { name, given } of [
  {
    name: 'nothing is stated of what the tag names now',
    given: {
      proof: proof([says(REFUSED)], { digest: OTHER }),
      findings: found({ u1: { ...REFUSED, ...NO_FACTS } }, { digest: OTHER }),
    },
  },
  {
    name: 'whoever stated it counts no more',
    given: { proof: proof([says(REFUSED)]), findings: found({ u1: { ...REFUSED, ...NO_FACTS } }) },
  },
  {
    name: 'a policy with other keys could not be told of',
    given: { proof: proof([says(UNKNOWN)]), findings: found({ u1: { ...UNKNOWN, ...NO_FACTS } }) },
  },
]) {
  test(`what was stated before is not said of an image any more where ${name}`, (t) => {
    t.is(after({ ...given, sealed: 'sealed-2' }, after()).status?.facts, undefined);
  });
}

test('facts are those of the first policy that found any, and signers those of all, each once', (t) => {
  const counts = { Critical: 0, High: 1, Medium: 2, Low: 3, Unscored: 4 } as const;
  const scannedAt = NOW.toISOString();
  const vulnerabilities = { counts, by: 'scanner', excluded: 5, waived: 6, scannedAt };
  const sbom = { by: 'builder', format: 'CycloneDX 1.6', components: 7, withoutLicence: 7, licences: [] };
  const other: SignerFact = { ...SIGNER, authority: 'scanner', fingerprint: 'f2' };
  const provenance = { builder: 'b'.repeat(600), source: 's'.repeat(3000) } as never;
  const findings = found({
    u1: { facts: { signers: [SIGNER, other], vulnerabilities } },
    u2: { facts: { signers: [SIGNER], provenance, sbom } },
  });
  const { facts } = after({ findings }).status ?? {};
  t.like(facts, { critical: 0, high: 1, medium: 2, low: 3, unscored: 4, excluded: 5, waived: 6, scannedAt });
  t.like(facts, { sbom: 'CycloneDX 1.6', components: 7 });
  t.deepEqual(
    facts?.signers?.map(({ authority }) => authority),
    ['builder', 'scanner'],
  );
  t.is(facts?.builder?.length, 512);
  t.is(facts?.source?.length, 2048);
});

test('as much as can be found of an image fits into what the API server takes', (t) => {
  const checks = Array.from({ length: 60 }, () => ({ ...CHECK, message: '\u{1F600}'.repeat(2000) }));
  const signers = Array.from({ length: 100 }, (_, index) => ({ ...SIGNER, fingerprint: `${index}` }));
  const policies = Array.from({ length: 64 }, (_, index) => says({ uid: `u${index}`, name: `p${index}` }));
  const findings = found(
    Object.fromEntries(policies.map(({ uid }) => [uid, { checks, facts: { signers } }])),
  );
  const { status } = after({ proof: proof(policies), findings, sealed: 'x'.repeat(MAX_PROOF) });
  const read = IMAGE_VERDICT.status.safeParse(status);
  t.true(read.success, read.error?.message);
  t.is(status?.policies?.length, 64);
  t.true(
    Buffer.byteLength(JSON.stringify(status)) < 1_048_576,
    'with the longest proof it is less than etcd takes',
  );
});
