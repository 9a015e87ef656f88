// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { RemoteSpec } from '#crds/v1alpha1/agent-remote';
import { REMOTE_VARIABLE, type RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import type { Agent } from '../agent/agent.ts';
import type { Container } from '../agent/container.ts';
import { GRACE_SECONDS } from '../metering/rate.ts';
import { defined } from '../object.ts';
import { literal } from './literal.ts';
import { identityOf, type Run } from './run.ts';

/** Folder of the container that holds credentials and certificates. */
const FOLDER = '/var/run/nexusos/remote';
const CREDENTIAL = 'credential';
const CERTIFICATES = 'ca.pem';
const VOLUME = 'remote';
const COMMAND = ['node', 'remote.mjs'];

/** What the program that speaks to an endpoint works on. */
export interface RemoteInput {
  readonly run: Run;
  readonly agent: Agent;
  readonly attempt: number;
  readonly timeoutSeconds: number;
}

/** The container of an attempt: our own program, whatever the Agent says. */
export function remoteContainer(image: string): Container {
  return { image, command: COMMAND };
}

/** What tells that program what to do. */
export function remoteVariables(
  remote: RemoteSpec,
  input: RemoteInput,
): readonly { readonly name: string; readonly value: string }[] {
  return [{ name: REMOTE_VARIABLE, value: literal(JSON.stringify(remoteAttemptOf(remote, input))) }];
}

/** The volume of credentials and certificates, and its mount; none where there are none. */
export function remoteVolumes(remote: RemoteSpec | undefined): {
  readonly volumes: readonly object[];
  readonly mounts: readonly object[];
} {
  const sources = remote === undefined ? [] : sourcesOf(remote);
  if (sources.length === 0) return { volumes: [], mounts: [] };
  return {
    volumes: [{ name: VOLUME, projected: { sources } }],
    mounts: [{ name: VOLUME, mountPath: FOLDER, readOnly: true }],
  };
}

interface KeyRef {
  readonly name: string;
  readonly key: string;
}

function fileOf({ name, key }: KeyRef, path: string): object {
  return { name, items: [{ key, path }] };
}

function sourcesOf({ auth, tls }: RemoteSpec): readonly object[] {
  const { caConfigMapKeyRef: map, caSecretKeyRef: secret } = tls ?? {};
  return [
    ...(auth === undefined ? [] : [{ secret: fileOf(auth.secretKeyRef, CREDENTIAL) }]),
    ...(map === undefined ? [] : [{ configMap: fileOf(map, CERTIFICATES) }]),
    ...(secret === undefined ? [] : [{ secret: fileOf(secret, CERTIFICATES) }]),
  ];
}

function remoteAttemptOf(remote: RemoteSpec, input: RemoteInput): RemoteAttempt {
  const { url, cardUrl, auth, tls } = remote;
  const { protocolVersions, insecureHttp, timeouts, retries, pollSeconds } = remote;
  const { terminationGracePeriodSeconds = GRACE_SECONDS } = input.agent.spec.limits;
  return {
    protocolVersions,
    insecureHttp,
    timeouts,
    retries,
    pollSeconds,
    messageId: `${identityOf(input.run).uid}-${input.attempt}`,
    timeoutSeconds: input.timeoutSeconds,
    graceSeconds: Math.max(1, terminationGracePeriodSeconds),
    ...defined({ url, cardUrl, contextId: contextOf(input), auth: authOf(auth), tls: tlsOf(tls) }),
  };
}

function authOf(auth: RemoteSpec['auth']): RemoteAttempt['auth'] {
  if (auth === undefined) return undefined;
  return { scheme: auth.scheme, file: `${FOLDER}/${CREDENTIAL}`, ...defined({ header: auth.header }) };
}

function tlsOf(tls: RemoteSpec['tls']): RemoteAttempt['tls'] {
  if (tls === undefined) return undefined;
  const { caConfigMapKeyRef, caSecretKeyRef, serverName } = tls;
  const hasCa = caConfigMapKeyRef !== undefined || caSecretKeyRef !== undefined;
  return defined({ serverName, caFile: hasCa ? `${FOLDER}/${CERTIFICATES}` : undefined });
}

/**
 * The context of a session. Several tenants may speak to one endpoint, in sessions of the same name, and none may get into that of
 * another: so it is made of the UID of the Agent as well.
 */
function contextOf({ run, agent }: RemoteInput): string | undefined {
  const { session } = run.spec;
  if (session === undefined) return undefined;
  return createHash('sha256')
    .update(JSON.stringify([agent.metadata.uid, session]))
    .digest('hex')
    .slice(0, 32);
}
