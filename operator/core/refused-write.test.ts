// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { setStanding, type Standing } from './conditions.ts';
import { type ErrorCode, ReconcileError } from './errors.ts';
import type { Condition, KubeObject } from './object.ts';
import { tellRefusal, toldRefusal, WRITE_REFUSED } from './refused-write.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const MAKING: Standing = { kind: 'reconciling', reason: 'Provisioning', message: 'being made' };
const WORDS = 'ConfigMap a/b: exceeded quota: theirs, used: count/configmaps=1, limited: count/configmaps=1';

type Subject = KubeObject & { readonly status?: { readonly conditions: readonly Condition[] } };

/** An object that stands so since so many seconds. */
function standing(so: Standing | undefined, seconds: number): Subject {
  const now = new Date(NOW.getTime() - seconds * 1000);
  const metadata = { name: 'acme', generation: 3 };
  const object = { apiVersion: 'v1', kind: 'Thing', metadata };
  if (so === undefined) return object;
  return { ...object, status: { conditions: setStanding([], so, { generation: 3, now }) } };
}

function tell(object: Subject, words = WORDS, code: ErrorCode = 'quota_exceeded') {
  const obstacle = new ReconcileError(code, words);
  return tellRefusal(object, { obstacle, replaces: ['Provisioning'] }, NOW);
}

const SILENT: Readonly<Record<string, { readonly object: Subject; readonly code?: ErrorCode }>> = {
  'before anything was said of the object': { object: standing(undefined, 60) },
  'while it may pass by itself': { object: standing(MAKING, 4) },
  'over a reason that says more': {
    object: standing({ kind: 'stalled', reason: 'NamespaceConflict', message: 'x' }, 60),
  },
  'of an object that is as it should be': {
    object: standing({ kind: 'ready', reason: 'Provisioned', message: 'x' }, 60),
  },
  'when the API server is busy or away': { object: standing(MAKING, 60), code: 'dependency_unavailable' },
};

for (const [title, { object, code }] of Object.entries(SILENT)) {
  test(`nothing is said ${title}`, (t) => t.is(tell(object, WORDS, code), undefined));
}

test('after some seconds Ready names what is refused, and why', (t) => {
  const plan = tell(standing(MAKING, 6));
  const ready = plan?.status.conditions.find(({ type }) => type === 'Ready');
  t.like(ready, { status: 'False', reason: WRITE_REFUSED });
  t.true(ready?.message.endsWith(WORDS));
  t.is(plan?.result.kind, 'requeueAfter');
});

test('the same refusal with other figures is no news, and another one is', (t) => {
  const told = { ...standing(MAKING, 6), status: tell(standing(MAKING, 6))!.status };
  t.is(tell(told, WORDS.replaceAll('=1', '=2'))?.status, told.status);
  t.regex(JSON.stringify(tell(told, 'Secret c/d: no')?.status), /Secret c\/d: no/);
});

test('what was said lasts until the spec changes', (t) => {
  const told = { ...standing(MAKING, 6), status: tell(standing(MAKING, 6))!.status };
  t.is(toldRefusal(told)?.reason, WRITE_REFUSED);
  t.is(toldRefusal({ ...told, metadata: { ...told.metadata, generation: 4 } }), undefined);
  t.is(toldRefusal(standing(MAKING, 6)), undefined);
});
