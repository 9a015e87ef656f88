// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject } from '#operator/core/object';
import { SECRETS } from '#operator/core/resources';
import { ApiError } from '#operator/runtime/api-error';
import type { Cache } from '#operator/runtime/cache';
import { clock } from '#operator/runtime/clock';
import type { Client } from '#operator/runtime/client';
import type { Credentials } from '#operator/runtime/credentials';
import type { Log } from '#operator/telemetry/log';
import { PROGRAM_VERSION } from '#operator/version';
import type { WebhookConfig } from '../config.ts';
import type { AdmissionMetrics } from '../metrics.ts';
import { KeptFile } from './kept-file.ts';
import { Keeping, placeOf } from './keeping.ts';
import { LastKnown } from './last-known.ts';

/** What beginning without an API server needs of the process. */
export interface LastKnownParts {
  readonly cache: Cache;
  readonly client: Client;
  readonly credentials: Credentials;
  readonly config: WebhookConfig;
  readonly metrics: AdmissionMetrics;
  readonly log: Log;
  /** Called in the very turn in which what the API server tells is taken over. */
  readonly onTakenOver: () => void;
}

/** What a replica keeps for a restart without an API server, and begins from. */
export interface LastKnownProcess {
  readonly state: LastKnown;
  readonly keeping: Pick<Keeping, 'start' | 'close'>;
}

/** Asked once, and not for long. */
const PROBE = {
  verb: 'get',
  path: '/api/v1/namespaces/kube-system',
  attempts: 1,
  timeoutMs: 2000,
} as const;
const NOTHING_KEPT = { start: () => undefined, close: () => Promise.resolve() };

/** Wires it. Without a folder nothing is kept, and a replica that begins waits for the API server. */
export function createLastKnown(parts: LastKnownParts): LastKnownProcess {
  const { cache, client, credentials, config, metrics, log, onTakenOver } = parts;
  const { stateFolder, certificateFolder, namespace, secretName } = config;
  const maxAgeMs = stateFolder === undefined ? 0 : config.lastKnownMaxAgeSeconds * 1000;
  const file = new KeptFile(stateFolder ?? '');
  const self = async () => ({
    program: PROGRAM_VERSION ?? 'sources',
    place: await placeOf(credentials, namespace),
  });
  const state = new LastKnown({
    cache,
    file,
    self,
    maxAgeMs,
    afterMs: config.lastKnownAfterMs,
    canReach: () => canReach(client),
    readCertificate: () => secretIn(certificateFolder, { namespace, name: secretName }),
    onTakenOver,
    now: () => clock.now(),
    metrics,
    log,
  });
  const onKept = (seenAt: Date) => metrics.keptTimestamp.set({}, seenAt.getTime() / 1000);
  const keeping = maxAgeMs === 0 ? NOTHING_KEPT : new Keeping({ cache, file, self, onKept, log });
  return { state, keeping };
}

/** An answer that says no is an answer, too: then it is for the API server to tell what there is. */
async function canReach(client: Pick<Client, 'raw'>): Promise<boolean> {
  try {
    await client.raw(PROBE);
    return true;
  } catch (error) {
    return error instanceof ApiError && error.status >= 400 && error.status < 500;
  }
}

/** A Secret of type kubernetes.io/tls as the kubelet puts it into a folder; undefined where it has not. */
async function secretIn(
  folder: string | undefined,
  metadata: { readonly namespace: string; readonly name: string },
): Promise<KubeObject | undefined> {
  if (folder === undefined) return undefined;
  const read = (name: string) => readFile(join(folder, name)).then((bytes) => bytes.toString('base64'));
  try {
    const data = { 'tls.crt': await read('tls.crt'), 'tls.key': await read('tls.key') };
    return { apiVersion: SECRETS.apiVersion, kind: SECRETS.kind, metadata, data };
  } catch {
    return undefined;
  }
}
