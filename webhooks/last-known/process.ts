// SPDX-License-Identifier: Apache-2.0
import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KubeObject } from '#operator/core/object';
import { MUTATING_CONFIGURATIONS, SECRETS, VALIDATING_CONFIGURATIONS } from '#operator/core/resources';
import { ApiError } from '#operator/runtime/api-error';
import type { Cache, HeldWatch } from '#operator/runtime/cache';
import { clock } from '#operator/runtime/clock';
import type { Client } from '#operator/runtime/client';
import type { Credentials } from '#operator/runtime/credentials';
import type { Log } from '#operator/telemetry/log';
import { PROGRAM_VERSION } from '#operator/version';
import { bundlesOf, isTrusted, readPair } from '../certificate.ts';
import type { WebhookConfig } from '../config.ts';
import type { AdmissionMetrics } from '../metrics.ts';
import { KeptFile } from './kept-file.ts';
import { Keeping, placeOf } from './keeping.ts';
import { LastKnown } from './last-known.ts';
import { uptimeOfMachine } from './uptime.ts';

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

const CONFIGURATIONS: ReadonlySet<string> = new Set([
  MUTATING_CONFIGURATIONS.kind,
  VALIDATING_CONFIGURATIONS.kind,
]);

/** Asked once, and not for long. */
const PROBE = {
  verb: 'get',
  path: '/api/v1/namespaces/kube-system',
  attempts: 1,
  timeoutMs: 2000,
} as const;

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
    readCertificate: (kept) => secretIn(certificateFolder, { namespace, name: secretName }, kept),
    onTakenOver,
    now: () => clock.now(),
    elapsedMs: () => performance.now(),
    uptime: uptimeOfMachine,
    metrics,
    log,
  });
  const onKept = (seenAt: Date) => metrics.keptTimestamp.set({}, seenAt.getTime() / 1000);
  const nothing = {
    start: () => (stateFolder === undefined ? undefined : void file.forget()),
    close: () => Promise.resolve(),
  };
  const keeping = maxAgeMs === 0 ? nothing : new Keeping({ cache, file, self, onKept, log });
  return { state, keeping };
}

/** Whether the API server answers. What says no is an answer, too; what tells that it is in trouble is none. */
export async function canReach(client: Pick<Client, 'raw'>): Promise<boolean> {
  try {
    await client.raw(PROBE);
    return true;
  } catch (error) {
    return error instanceof ApiError && error.status >= 400 && error.status < 500;
  }
}

/** A Secret of type kubernetes.io/tls as the kubelet puts it into a folder; or why it is not one that the API server trusts, by what was kept. */
export async function secretIn(
  folder: string | undefined,
  metadata: { readonly namespace: string; readonly name: string },
  kept: readonly HeldWatch[],
): Promise<KubeObject | string> {
  // What is replaced in between is removed: then the others are there.
  const read = () => pairIn(folder ?? '');
  const data = await read().catch(() => read().catch(() => undefined));
  if (data === undefined) return 'there is no certificate to serve with';
  const secret = { apiVersion: SECRETS.apiVersion, kind: SECRETS.kind, metadata, data };
  const pair = readPair(secret);
  if (typeof pair === 'string') return pair;
  const bundles = kept
    .filter(({ kind }) => CONFIGURATIONS.has(kind))
    .flatMap(({ objects }) => objects.flatMap((one) => bundlesOf(one)));
  return isTrusted(pair.leaf, bundles, clock.now())
    ? secret
    : 'the API server was not told to trust the certificate';
}

/**
 * Both files as they were put there together. The kubelet puts them into a folder of their own, and has a link lead to the next one when there are others: by
 * the link, the key of one and the certificate of the other could be read.
 */
async function pairIn(folder: string): Promise<Readonly<Record<string, string>>> {
  const together = dirname(await realpath(join(folder, 'tls.crt')));
  const read = (name: string) => readFile(join(together, name)).then((bytes) => bytes.toString('base64'));
  return { 'tls.crt': await read('tls.crt'), 'tls.key': await read('tls.key') };
}
