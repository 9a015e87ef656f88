// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../../core/object.ts';
import type { Patience, Reader } from '../../runtime/controller.ts';
import { ifMoreThanFigures, ifMoreThanStatus } from './news-of-objects.ts';

const WAIT_MS = 700;
const READ = {} as Reader;

const IS: KubeObject = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'Agent',
  metadata: {
    name: 'writer',
    namespace: 'acme',
    uid: 'u',
    generation: 1,
    resourceVersion: '7',
    labels: { team: 'a' },
  },
  spec: { shape: 'job' },
  status: { ready: true, runs: { queued: 1 } },
};

function withMeta(metadata: Partial<KubeObject['metadata']>, status: unknown = IS['status']): KubeObject {
  return { ...IS, metadata: { ...IS.metadata, resourceVersion: '8', ...metadata }, status };
}

function isReady({ status }: KubeObject): boolean | undefined {
  return (status as { readonly ready?: boolean } | undefined)?.ready;
}

function isSameButRuns(old: KubeObject, object: KubeObject): boolean {
  return isReady(old) === isReady(object);
}

interface Case {
  readonly old?: KubeObject;
  readonly object?: KubeObject;
  /** How long who reads no status may wait. */
  readonly reader: number;
  /** How long who writes figures may wait. */
  readonly writer: number;
}

const AT_ONCE = { reader: 0, writer: 0 } as const;
const CASES: Readonly<Record<string, Case>> = {
  'it comes': { object: IS, ...AT_ONCE },
  'it is gone': { old: IS, ...AT_ONCE },
  'other figures': {
    old: IS,
    object: withMeta({}, { ready: true, runs: { queued: 2 } }),
    reader: Infinity,
    writer: WAIT_MS,
  },
  'another standing': {
    old: IS,
    object: withMeta({}, { ready: false, runs: { queued: 1 } }),
    reader: Infinity,
    writer: 0,
  },
  'another standing with other figures': {
    old: IS,
    object: withMeta({}, { ready: false, runs: { queued: 2 } }),
    reader: Infinity,
    writer: 0,
  },
  'its first status': {
    old: { ...IS, status: undefined },
    object: withMeta({}),
    reader: Infinity,
    writer: 0,
  },
  'another spec': { old: IS, object: withMeta({ generation: 2 }), ...AT_ONCE },
  'another spec with other figures': {
    old: IS,
    object: withMeta({ generation: 2 }, { ready: true, runs: { queued: 2 } }),
    ...AT_ONCE,
  },
  'a label': { old: IS, object: withMeta({ labels: { team: 'b' } }), ...AT_ONCE },
  'an annotation': { old: IS, object: withMeta({ annotations: { a: 'b' } }), ...AT_ONCE },
  'a finalizer': { old: IS, object: withMeta({ finalizers: ['example.com/keeps'] }), ...AT_ONCE },
  'an owner': {
    old: IS,
    object: withMeta({ ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'o' }] }),
    ...AT_ONCE,
  },
  'it is being deleted': {
    old: IS,
    object: withMeta({ deletionTimestamp: '2026-11-23T12:00:00Z' }),
    ...AT_ONCE,
  },
  'a namesake': { old: IS, object: withMeta({ uid: 'another' }), ...AT_ONCE },
};

const WRITER: Patience = ifMoreThanFigures(isSameButRuns, WAIT_MS);

for (const [name, { old, object, reader, writer }] of Object.entries(CASES)) {
  test(`who reads no status: ${name}`, (t) => t.is(ifMoreThanStatus({ old, object }, READ), reader));
  test(`who writes figures: ${name}`, (t) => t.is(WRITER({ old, object }, READ), writer));
}
