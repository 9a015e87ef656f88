// SPDX-License-Identifier: Apache-2.0
import { callerName, callerUser } from '../agent/caller.ts';
import { pullSecretCopyName } from '../tenant/pull-secrets.ts';
import type { WorkloadInput } from './pod.ts';
import { childName, identityOf } from './run.ts';

/** Folder of the container that holds what it calls others with. */
export const CALL_FOLDER = '/var/run/nexusos/call';
/** Where the API server answers, within every cluster. */
const API = 'https://kubernetes.default.svc';
const VOLUME = 'call';
/** As short as Kubernetes lets a token live; its node has it replaced before. */
const TOKEN_SECONDS = 600;

/** Whether a container may call others: its token lets it create Runs that name its own as their parent, and read Runs. */
function mayCall({ call }: WorkloadInput): boolean {
  return call !== undefined && call.levels > 0;
}

/** The account of a pod that may call others. Pull secrets are those of its account by default, and named here. */
export function callerAccount(input: WorkloadInput) {
  if (!mayCall(input)) return {};
  const secrets = (input.tenant.spec.imagePullSecrets ?? []).map(({ name }) => ({
    name: pullSecretCopyName(name),
  }));
  return {
    serviceAccountName: callerName(input.agent),
    ...(secrets.length > 0 && { imagePullSecrets: secrets }),
  };
}

/** The token, and what the API server is known by. */
export function callerVolumes(input: WorkloadInput): {
  readonly volumes: readonly object[];
  readonly mounts: readonly object[];
} {
  if (!mayCall(input)) return { volumes: [], mounts: [] };
  const sources = [
    { serviceAccountToken: { path: 'token', expirationSeconds: TOKEN_SECONDS } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
  ];
  return {
    volumes: [{ name: VOLUME, projected: { sources } }],
    mounts: [{ name: VOLUME, mountPath: CALL_FOLDER, readOnly: true }],
  };
}

/** What a container is told of who calls it, and how it calls others. */
export function callVariables(
  input: WorkloadInput,
): readonly { readonly name: string; readonly value: string }[] {
  const { run, call, attempt } = input;
  if (call === undefined) return [];
  const { parentRef } = run.spec;
  const identity = identityOf(run);
  const told = {
    NEXUSOS_DEPTH: String(call.depth),
    NEXUSOS_LEVELS: String(call.levels),
    ...(parentRef !== undefined && { NEXUSOS_PARENT: parentRef.name }),
    ...(mayCall(input) && {
      NEXUSOS_NAMESPACE: run.metadata.namespace ?? '',
      NEXUSOS_RUN_UID: identity.uid,
      NEXUSOS_POD: childName(identity, attempt),
      NEXUSOS_USER: callerUser(input.agent),
      NEXUSOS_API: API,
      NEXUSOS_TOKEN_FILE: `${CALL_FOLDER}/token`,
      NEXUSOS_CA_FILE: `${CALL_FOLDER}/ca.crt`,
    }),
  };
  return Object.entries(told).map(([name, value]) => ({ name, value }));
}
