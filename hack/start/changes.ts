// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import { conditionOf, fullName, type Snapshot, textAt } from './snapshot.ts';

/** What is said of each object, by kind and name: `run acme-prod/first` -> `Running`. */
export type Story = ReadonlyMap<string, string>;

/** A snapshot in words, object by object, and what happened to the operator, if anything. */
export function tell(snapshot: Snapshot, operator?: string): Story {
  return new Map([
    ...(operator === undefined ? [] : [['operator', operator] as const]),
    ...snapshot.tenants.map((one) => [`tenant ${fullName(one)}`, stateText(one, 'state')] as const),
    ...snapshot.agents.map((one) => [`agent ${fullName(one)}`, readyText(one)] as const),
    ...snapshot.runs.map((one) => [`run ${fullName(one)}`, runText(one)] as const),
  ]);
}

/** What is new or other in `now` than in `before`, one line each, and what is gone. */
export function changes(before: Story, now: Story): readonly string[] {
  const told = [...now]
    .filter(([name, text]) => before.get(name) !== text)
    .map(([name, text]) => `${name}: ${text}`);
  const gone = [...before.keys()].filter((name) => !now.has(name)).map((name) => `${name}: deleted`);
  return [...told, ...gone];
}

function stateText(object: KubeObject, field: string): string {
  return `${textAt(object, ['status', field], 'Pending')}, ${readyText(object)}`;
}

function readyText(object: KubeObject): string {
  const { status, reason, message } = conditionOf(object, 'Ready');
  if (status === 'True') return 'Ready';
  return reason === '' ? 'new' : `not Ready: ${reason}${message === '' ? '' : ` (${message})`}`;
}

function runText(run: KubeObject): string {
  const phase = textAt(run, ['status', 'phase'], 'new');
  const waits = textAt(run, ['status', 'queue', 'message']);
  const error = textAt(run, ['status', 'error', 'message']);
  return [phase, waits, error].filter((part) => part !== '').join(': ');
}
