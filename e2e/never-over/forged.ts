// SPDX-License-Identifier: Apache-2.0
import { type Moment, momentsOf } from './trail.ts';

/** A line of an audit log, as far as it matters, to be forged. */
export interface Forged {
  readonly verb?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly code?: number;
  readonly uri?: string;
  readonly stage?: string;
  /** Seconds since the beginning of the trail. */
  readonly at?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

const BEGINS_MS = Date.parse('2026-11-01T12:00:00Z');

/** The instant so many seconds after the beginning of every forged trail. */
export function instant(seconds: number): string {
  return new Date(BEGINS_MS + seconds * 1000).toISOString();
}

/** Lines of an audit log, each write with a later version than the one before it. */
export function linesOf(...forged: readonly Forged[]): readonly string[] {
  return forged.map((one, index) => {
    const { verb = 'create', resource, subresource, code = 200, uri = '/x', stage, at = index } = one;
    const { metadata, spec, status } = one;
    return JSON.stringify({
      stage: stage ?? 'ResponseComplete',
      verb,
      requestURI: uri,
      stageTimestamp: instant(at),
      objectRef: { resource, ...(subresource !== undefined && { subresource }) },
      responseStatus: { code },
      responseObject: {
        metadata: { resourceVersion: String(100 + index), creationTimestamp: instant(at), ...metadata },
        spec,
        status,
      },
    });
  });
}

/** The moments of a forged trail. */
export function trailOf(...forged: readonly Forged[]): readonly Moment[] {
  return momentsOf(linesOf(...forged));
}

/** That a Run of `acme` is created. */
export function createsRun(name: string, spec: Readonly<Record<string, unknown>> = {}): Forged {
  return { resource: 'runs', metadata: { uid: `uid-${name}`, name, namespace: 'acme-main' }, spec };
}

/** That the status of a Run is written. */
export function tellsRun(name: string, phase: string): Forged {
  return { ...createsRun(name), verb: 'update', subresource: 'status', status: { phase } };
}

/** That the pod of an attempt is created. */
export function createsPod(run: string, attempt = 1): Forged {
  const name = `${run}-${attempt}`;
  const labels = { 'nexusos.dev/run-uid': `uid-${run}` };
  return { resource: 'pods', metadata: { uid: `uid-${name}`, name, namespace: 'acme-main', labels } };
}

/** That the pod of an attempt is told to be in a phase. */
export function tellsPod(run: string, phase: string, attempt = 1): Forged {
  return { ...createsPod(run, attempt), verb: 'patch', subresource: 'status', status: { phase } };
}

/** That the pod of an attempt is deleted, with so much time to end. */
export function deletesPod(run: string, graceSeconds: number): Forged {
  const { metadata, ...pod } = createsPod(run);
  const deletion = { deletionTimestamp: instant(0), deletionGracePeriodSeconds: graceSeconds };
  return { ...pod, verb: 'delete', metadata: { ...metadata, ...deletion } };
}
