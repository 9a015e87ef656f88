// SPDX-License-Identifier: Apache-2.0
import { hasEnded, lastOf, type Moment, phaseOfPod, runUidOf, type Written } from './trail.ts';

const FINAL: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Cancelled']);

/**
 * Starts that must not have been, in words: a second pod of a name, which is that of one attempt; a pod beside another one of its Run
 * that has not ended; one after its Run had succeeded, or had come to its end; and one of a second Run with an idempotency key.
 */
export function doubleStarts(moments: readonly Moment[]): readonly string[] {
  const runs = lastOf(moments, 'runs');
  const pods = new Map<string, Map<string, Written>>();
  const ended = new Set<string>();
  const keys = new Map<string, string>();
  const found: string[] = [];
  for (const { resource, isFirst, object } of moments) {
    if (resource === 'runs' && FINAL.has(phaseOfRun(object))) ended.add(object.metadata.uid);
    const runUid = runUidOf(object);
    if (resource !== 'pods' || runUid === undefined) continue;
    const known = pods.get(runUid) ?? new Map<string, Written>();
    if (isFirst) {
      const before = [...known.values()];
      const reasons = [
        ...before.flatMap((one) => faultBeside(object, one)),
        ...(ended.has(runUid) ? ['its Run had come to its end'] : []),
        ...faultOfKey(keys, runs.get(runUid)),
      ];
      found.push(
        ...reasons.map((reason) => `${object.metadata.namespace}/${object.metadata.name}: ${reason}`),
      );
    }
    pods.set(runUid, known.set(object.metadata.uid, object));
  }
  return found;
}

function faultBeside({ metadata }: Written, before: Written): readonly string[] {
  if (before.metadata.name === metadata.name) return ['a pod of that attempt was made before'];
  if (!hasEnded(before)) return [`${before.metadata.name} has not ended`];
  return phaseOfPod(before) === 'Succeeded' ? [`${before.metadata.name} has succeeded`] : [];
}

function faultOfKey(keys: Map<string, string>, run: Written | undefined): readonly string[] {
  const key = run?.spec?.['idempotencyKey'];
  if (run === undefined || typeof key !== 'string') return [];
  const { namespace, uid, name } = run.metadata;
  const id = JSON.stringify([namespace, key]);
  const first = keys.get(id) ?? uid;
  keys.set(id, first);
  return first === uid ? [] : [`${name} is not the first that has started with the key ${key}`];
}

/** Names of Runs that were created and have not come to an end by the last that was written of them. */
export function lostRuns(moments: readonly Moment[]): readonly string[] {
  return [...lastOf(moments, 'runs').values()]
    .filter((run) => !FINAL.has(phaseOfRun(run)))
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

/** The phase of a Run. */
export function phaseOfRun({ status }: Written): string {
  const phase = status?.['phase'];
  return typeof phase === 'string' ? phase : '';
}
