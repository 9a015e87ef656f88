// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { compose, type PackOutcome } from './compose.ts';
import { type DecisionContext, decisionOf, nothingToSay, unavailable } from './decision.ts';
import type { Exemption } from './exemption.ts';
import {
  answered,
  FACTS,
  failed,
  makeExemption,
  makePack,
  makeReview,
  makeTenantPack,
  NOW,
} from './testing/make.ts';

const SNAPSHOT = `sha256:${'0'.repeat(64)}`;
const CONTEXT: DecisionContext = {
  snapshotDigest: SNAPSHOT,
  revisions: ['nexusos/baseline-1'],
  millis: 1.25,
};
const NO = { deny: [{ rule: 'pods.hostpath', message: 'no host paths', field: 'spec.volumes[0].hostPath' }] };

function decided(
  outcomes: readonly PackOutcome[],
  more: Partial<DecisionContext> = {},
  exemptions: readonly Exemption[] = [],
) {
  const composition = compose(outcomes, { review: makeReview(), facts: FACTS, exemptions, now: NOW });
  return decisionOf(composition, { ...CONTEXT, ...more });
}

test('a refusal says which pack and rule, what is wrong and where, and whom to ask', (t) => {
  t.deepEqual(decided([answered(makePack({ contact: '#security' }), NO)]).refusals, [
    {
      code: 'policy_blocked',
      message:
        'nexusos/baseline 1.2.0, rule pods.hostpath: no host paths (at spec.volumes[0].hostPath); ask #security',
      field: 'spec.volumes[0].hostPath',
    },
  ]);
});

test('whom to ask is told once for each pack', (t) => {
  const two = { deny: [...NO.deny, { rule: 'b', message: 'nor this' }] };
  const texts = decided([answered(makePack(), two), answered(makeTenantPack(), two)]).refusals.map(
    ({ message }) => /; ask (.*)$/.exec(message)?.[1],
  );
  t.deepEqual(texts, ['your platform team', undefined, 'who keeps the PolicyPack in acme-dev', undefined]);
});

test('a pack that cannot be evaluated refuses, and says so', (t) => {
  const { allowed, refusals } = decided([failed(makePack())]);
  t.false(allowed);
  t.is(
    refusals[0]?.message,
    'nexusos/baseline 1.2.0, rule evaluation: cannot be evaluated (Timeout: it took more than 50 ms), and what cannot be judged is not let through; ask your platform team',
  );
});

test('what a pack says cannot pass for another line, nor turn the text round', (t) => {
  const evil = { deny: [{ rule: 'a\nb', message: 'x\r\n{"level":"info"}\u202egnp.exe\u0000\ud800' }] };
  const message = decided([answered(makePack(), evil)]).refusals[0]?.message ?? '';
  t.notRegex(message, /[\p{Cc}\u202e]/u);
  t.true(message.isWellFormed());
});

test('what has to be told is told to who is let through, and stands in the audit log with the regions that are left', (t) => {
  const told = { disclosures: ['kept in eu-1\nfor a year'], regions: ['eu-2', 'eu-1'] };
  const passed = decided([answered(makePack(), told), answered(makeTenantPack(), { regions: ['eu-1'] })]);
  t.deepEqual(passed.warnings, ['note: kept in eu-1 for a year']);
  t.is(passed.auditAnnotations['regions'], 'eu-1');
  t.is(passed.auditAnnotations['disclosures'], 'kept in eu-1 for a year');
  t.deepEqual(decided([answered(makePack(), { ...NO, ...told })]).warnings, []);
  t.deepEqual(decided([answered(makePack({ enforcement: 'DryRun' }), told)]).warnings, []);
});

test('warnings tell what packs warn of, what is exempt, and what was not filled in', (t) => {
  const { allowed, warnings, auditAnnotations } = decided(
    [answered(makePack(), { ...NO, warn: [{ rule: 'a', message: 'old' }] })],
    { passedOver: [{ path: '/spec/a', by: 'nexusos/b', why: 'nexusos/c wants something else there' }] },
    [makeExemption()],
  );
  t.true(allowed);
  t.deepEqual(warnings, [
    'nexusos/baseline 1.2.0, rule a: old',
    'exempt until 2026-12-01T00:00:00Z by legacy-web (OPS-7): nexusos/baseline 1.2.0, rule pods.hostpath: no host paths (at spec.volumes[0].hostPath)',
    'nexusos/b does not fill in /spec/a: nexusos/c wants something else there',
  ]);
  t.is(auditAnnotations['exemptions'], 'legacy-web=nexusos/baseline:pods.hostpath');
});

test('the audit log keeps by what was decided', (t) => {
  const dry = answered(makePack({ enforcement: 'DryRun' }), NO);
  t.deepEqual(decided([dry]).auditAnnotations, {
    snapshot: SNAPSHOT,
    revisions: 'nexusos/baseline-1',
    'duration-ms': '1.3',
    'dry-run': 'nexusos/baseline:pods.hostpath',
  });
});

test('annotations stay short, whatever packs say', (t) => {
  const many = Array.from({ length: 1000 }, (_, index) => ({ rule: `rule-${index}`, message: 'x' }));
  const { auditAnnotations } = decided([answered(makePack(), { deny: many })]);
  t.true(Object.values(auditAnnotations).every((text) => text.length <= 1024));
});

test('nothing is changed in what is refused', (t) => {
  const patch = [{ op: 'add', path: '/metadata/labels/a', value: '1' }] as const;
  t.is(decided([answered(makePack(), NO)], { patch }).patch, undefined);
  t.deepEqual(decided([answered(makePack())], { patch }).patch, patch);
});

test('what nobody is asked about, and what cannot be judged', (t) => {
  t.true(nothingToSay(SNAPSHOT).allowed);
  const refused = unavailable('namespace acme-dev is not known yet', SNAPSHOT);
  t.false(refused.allowed);
  t.is(refused.refusals[0]?.code, 'dependency_unavailable');
});
