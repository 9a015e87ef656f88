// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { CallStatus } from '#crds/v1alpha1/run-calls';
import type { Tenant } from '../tenant/tenant.ts';
import { differingFields } from './idempotency.ts';
import { desiredWorkload } from './pod.ts';
import { makeAgent, makeRun, makeTenant } from './testing/make.ts';

const ROOT: CallStatus = { depth: 0, levels: 2 };
const LEAF: CallStatus = { depth: 2, levels: 0, attempt: 1, root: { name: 'above', uid: 'above-uid' } };

interface Pod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly automountServiceAccountToken: boolean;
    readonly imagePullSecrets?: object;
    readonly volumes: readonly object[];
    readonly containers: readonly {
      readonly env: readonly { readonly name: string; readonly value?: string }[];
    }[];
  };
}

function podOf(call: CallStatus | undefined, tenant: Tenant = makeTenant()): Pod {
  const run = makeRun(call?.root && { parentRef: { name: 'above', uid: 'above-uid' } });
  const objects = desiredWorkload({ run, agent: makeAgent(), tenant, attempt: 2, call });
  return objects.at(-1) as unknown as Pod;
}

function envOf(pod: Pod): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(pod.spec.containers[0]!.env.map(({ name, value }) => [name, value]));
}

test('a Run that may call others has a token of an account of its own, and none by default', (t) => {
  const pod = podOf(ROOT);
  t.like(pod.spec, { serviceAccountName: 'nexusos-call-agent', automountServiceAccountToken: false });
  t.is(pod.metadata.labels['nexusos.dev/calls'], 'true');
  t.regex(
    JSON.stringify(pod.spec.volumes),
    /"serviceAccountToken":\{"path":"token","expirationSeconds":600\}/,
  );
  const env = envOf(pod);
  t.like(env, {
    NEXUSOS_DEPTH: '0',
    NEXUSOS_LEVELS: '2',
    NEXUSOS_RUN_UID: 'run-uid',
    NEXUSOS_NAMESPACE: 'acme-dev',
    NEXUSOS_USER: 'system:serviceaccount:acme-dev:nexusos-call-agent',
  });
  t.regex(env['NEXUSOS_POD'] ?? '', /^r-[0-9a-f]{10}-2$/);
});

test('its pull secrets are named, since another account has them', (t) => {
  const tenant = makeTenant({ imagePullSecrets: [{ name: 'registry' }] });
  t.deepEqual(podOf(ROOT, tenant).spec.imagePullSecrets, [{ name: 'nexusos-pull-registry' }]);
});

for (const [name, call] of [
  ['that calls nobody', LEAF] as const,
  ['that has nothing to do with others', undefined] as const,
]) {
  test(`a Run ${name} has no token`, (t) => {
    const pod = podOf(call);
    t.is(pod.spec.serviceAccountName, 'nexusos-run');
    t.false(JSON.stringify(pod).includes('serviceAccountToken"'));
    t.is(pod.metadata.labels['nexusos.dev/calls'], undefined);
    t.is(envOf(pod)['NEXUSOS_TOKEN_FILE'], undefined);
  });
}

test('a Run that is called is told by whom, and how deep', (t) => {
  t.like(envOf(podOf(LEAF)), { NEXUSOS_PARENT: 'above', NEXUSOS_DEPTH: '2', NEXUSOS_LEVELS: '0' });
});

function called(uid: string, pod: string) {
  return makeRun({ parentRef: { name: 'above', uid, pod } });
}

test('two Runs with the same key are the same whichever attempt of their parent calls, and not when another Run does', (t) => {
  t.deepEqual(differingFields(called('a', 'above-1'), called('a', 'above-2')), []);
  t.deepEqual(differingFields(called('a', 'above-1'), called('b', 'above-1')), ['parentRef']);
});
