// SPDX-License-Identifier: Apache-2.0
import type { ExecutionContext } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { deletePodByForce } from '#hack/system/delete-by-force';
import { eventually } from '#hack/tools/eventually';
import { asksAbsent, asksMute, isHeldUpFor } from './fault-webhooks.ts';
import {
  becomes,
  cannotStart,
  changesTenant,
  deletesPod,
  digestOf,
  evicts,
  givesBack,
  isCounted,
  KWOK,
  LONG,
  nobodyNew,
  oneOf,
  patch,
  placesOf,
  podOf,
  says,
  startsAnew,
  type Status,
  tenantOf,
  triesAnew,
  UNPLACED,
} from './fault-plays.ts';
import { letsSucceed, phase, run, type RunChoice, waits, type World } from './run-world.ts';

/** What happens to a Run, and what becomes of it. */
export interface FaultCase {
  /** As the page names them. */
  readonly reason: string;
  readonly code: string;
  readonly tenant?: object;
  readonly worker?: object;
  /** The Run `one`: how it is made. */
  readonly one?: RunChoice;
  /** What is there before `one` is made. */
  readonly prepare?: (t: ExecutionContext, place: World) => Promise<void>;
  /** Plays the fault once `one` runs, or is about to, and tries what else the page says of it. */
  readonly play: (t: ExecutionContext, place: World) => Promise<void>;
  /** When `one` is made, it never runs. */
  readonly neverRuns?: true;
  /** It runs on until it is let end, after `play`. */
  readonly goesOn?: true;
  /** What can be looked at when it has ended. */
  readonly after?: (t: ExecutionContext, place: World) => Promise<void>;
}

const LOST: Omit<FaultCase, 'play'> = { reason: 'NodeLost', code: 'none' };
const GOES_ON: Omit<FaultCase, 'play'> = { reason: 'Succeeded', code: 'none', one: LONG, goesOn: true };
const GONE: Omit<FaultCase, 'play'> = { reason: 'gone', code: 'none', one: LONG };

function endsWith(outcome: string): RunChoice {
  return { annotations: { [`${KWOK}/outcome`]: outcome, [`${KWOK}/duration`]: '2s' } };
}

/** By the first column of docs/spec/v1alpha1/faults.md. */
export const FAULTS: Readonly<Record<string, FaultCase>> = {
  'its node is lost': {
    ...LOST,
    one: endsWith('node-lost'),
    play: async (t, place) => {
      // Each attempt is, until it is let end well: it is said again, whoever has begun to listen too late.
      await says(place, 'NodeLost');
      await letsSucceed(place, 'one');
      await startsAnew(t, place);
    },
  },
  'its pod is evicted by a drain': {
    ...LOST,
    one: { annotations: { ...LONG.annotations, [`${KWOK}/end-duration`]: '10m' } },
    play: async (t, place) => {
      await patch(place, ['run/one', '-n', place.namespace], {
        metadata: { annotations: { [`${KWOK}/duration`]: '1s', [`${KWOK}/end-duration`]: null } },
      });
      const name = await evicts(place);
      // Which is told while its pod still ends: that takes as long as the test does.
      await says(place, 'NodeLost');
      await deletePodByForce(await attachSystem(), { namespace: place.namespace, name });
      await startsAnew(t, place);
    },
  },
  'its pod is evicted by its node': {
    ...LOST,
    one: endsWith('evicted'),
    play: async (t, place) => {
      // Each attempt is, until it is let end well: it is said again, whoever has begun to listen too late.
      await says(place, 'NodeLost');
      await letsSucceed(place, 'one');
      await startsAnew(t, place);
    },
  },
  'its image cannot be pulled': {
    reason: 'StartFailed',
    code: 'dependency_unavailable',
    worker: UNPLACED,
    neverRuns: true,
    play: (_, place) => cannotStart(place, 'ImagePullBackOff', 11),
  },
  'the name of its image cannot be read': {
    reason: 'WorkloadRefused',
    code: 'invalid_request',
    worker: UNPLACED,
    neverRuns: true,
    play: (_, place) => cannotStart(place, 'InvalidImageName', 2),
  },
  'a webhook that its pod needs is away': {
    reason: 'StartFailed',
    code: 'dependency_unavailable',
    neverRuns: true,
    prepare: asksAbsent,
    play: async (t, place) => {
      t.regex(await isHeldUpFor(place, 11), /failed calling webhook/);
    },
  },
  'a webhook that its pod needs never answers': {
    reason: 'StartFailed',
    code: 'timeout',
    neverRuns: true,
    prepare: asksMute,
    play: async (t, place) => {
      t.regex(await isHeldUpFor(place, 11), /did not complete within/);
    },
  },
  'it uses more memory than its limit': {
    reason: 'OutOfMemory',
    code: 'quota_exceeded',
    one: endsWith('oom'),
    play: async () => undefined,
  },
  'its container fails': {
    reason: 'ContainerFailed',
    code: 'internal_error',
    one: endsWith('exit-code'),
    play: async () => undefined,
  },
  'its pod is deleted by hand': {
    reason: 'WorkloadDeleted',
    code: 'conflict',
    one: LONG,
    play: (_, place) => deletesPod(place),
  },
  'its pod is deleted by force': {
    reason: 'WorkloadDeleted',
    code: 'conflict',
    one: { annotations: { ...LONG.annotations, [`${KWOK}/end-duration`]: '1h' } },
    play: async (_, place) => {
      const { namespace } = place;
      await deletePodByForce(await attachSystem(), { namespace, name: await podOf(place) });
    },
  },
  'its namespace is deleted': {
    ...GONE,
    play: async (_, place) => {
      const { user, namespace } = place;
      const before = await oneOf(place);
      await user.does(['annotate', 'ns', namespace, `nexusos.dev/confirm-deletion=${namespace}`]);
      await user.does(['delete', 'ns', namespace, '--timeout=120s']);
      await givesBack(place);
      await isCounted(place);
      await eventually('the namespace is made anew, empty', async () => {
        const uid = (await user.sees<Status>(`namespace/${namespace}`))?.metadata.uid;
        return uid !== undefined && before !== undefined && (await oneOf(place)) === undefined;
      });
    },
  },
  "the tenant's places are lowered below use": {
    ...GOES_ON,
    tenant: { quotas: { runs: { maxConcurrent: 2 } } },
    play: async (t, place) => {
      await changesTenant(place, { quotas: { runs: { maxConcurrent: 0 } } }, { maxConcurrentRuns: 0 });
      await nobodyNew(t, place, 'ConcurrencyExceeded');
    },
  },
  "the tenant's compute is lowered below use": {
    ...GOES_ON,
    tenant: { quotas: { compute: { 'requests.cpu': '1' } } },
    play: async (t, place) => {
      await place.user.applies(run(place.namespace, 'other', LONG));
      await eventually('both run', async () => (await phase(place, 'other')) === 'Running');
      const hard = { 'requests.cpu': '150m' };
      await changesTenant(place, { quotas: { compute: hard } }, { hard });
      await nobodyNew(t, place, 'ComputeQuotaExceeded');
      await eventually('the Tenant says so', async () => {
        const told = await place.user.condition('QuotaEnforced', `tenant/${tenantOf(place)}`);
        return told?.reason === 'OverCommitted';
      });
    },
  },
  'the tenant is suspended, to finish': {
    ...GOES_ON,
    play: async (t, place) => {
      await changesTenant(place, { suspended: true }, { suspended: true });
      await nobodyNew(t, place, 'TenantSuspended');
    },
  },
  'the tenant is suspended, to pause': {
    reason: 'Paused',
    code: 'none',
    one: LONG,
    play: async (t, place) => {
      const tenant = [`tenant/${tenantOf(place)}`];
      await patch(place, tenant, { spec: { suspended: true, suspendPolicy: 'Pause' } });
      await waits(place, 'one', 'Paused');
      await becomes(place, 'Queued');
      await patch(place, ['run/one', '-n', place.namespace], {
        metadata: { annotations: { [`${KWOK}/duration`]: '1s' } },
      });
      await patch(place, tenant, { spec: { suspended: false } });
      await startsAnew(t, place);
    },
  },
  'its Agent is deleted': {
    ...GOES_ON,
    play: async (t, { user, namespace }) => {
      await user.does(['delete', 'agent/worker', '-n', namespace, '--timeout=60s']);
      t.is(await phase({ user, namespace }, 'one'), 'Running');
    },
  },
  'its AgentRevision is deleted': {
    ...GOES_ON,
    play: async (t, { user, namespace }) => {
      await user.does(['delete', 'agentrevisions', '--all', '-n', namespace, '--timeout=60s']);
      t.is(await phase({ user, namespace }, 'one'), 'Running');
    },
  },
  'its input ConfigMap is changed': {
    ...GOES_ON,
    one: { ...LONG, spec: { input: { configMapKeyRef: { name: 'data', key: 'doc' } } } },
    play: async (t, place) => {
      const { user, namespace } = place;
      await patch(place, ['configmap/data', '-n', namespace], { data: { doc: 'another' } });
      const given = (pod: string) =>
        user.does(['get', 'cm', pod, '-n', namespace, '-o', 'jsonpath={.data.input}']);
      t.is(await given(await podOf(place)), 'first');
      t.is((await oneOf(place))?.status?.input?.digest, digestOf('first'));
      t.is(await given(await triesAnew(place)), 'another');
    },
    after: async (t, place) => {
      t.is((await oneOf(place))?.status?.input?.digest, digestOf('another'));
    },
  },
  'its input Secret is changed': {
    ...GOES_ON,
    one: { ...LONG, spec: { input: { secretKeyRef: { name: 'data', key: 'doc' } } } },
    play: async (t, place) => {
      const { user, namespace } = place;
      await patch(place, ['secret/data', '-n', namespace], { stringData: { doc: 'another' } });
      const text = await user.does(['get', 'run,pod,cm', '-n', namespace, '-o', 'json']);
      t.notRegex(text, /another|YW5vdGhlcg/, 'nobody but its container has read it');
    },
    after: async (t, place) => {
      t.is((await oneOf(place))?.status?.attempt, 1);
    },
  },
  'a Secret of its variables is changed': {
    ...GOES_ON,
    worker: {
      container: {
        image: 'registry.example/worker:1',
        resources: { requests: { cpu: '100m', memory: '64Mi' } },
        env: [{ name: 'DOC', valueFrom: { secretKeyRef: { name: 'data', key: 'doc' } } }],
      },
    },
    play: async (t, place) => {
      const { user, namespace } = place;
      await patch(place, ['secret/data', '-n', namespace], { stringData: { doc: 'another' } });
      const path = '{.spec.containers[0].env[?(@.name=="DOC")].valueFrom.secretKeyRef.name}';
      const reads = (pod: string) =>
        user.does(['get', 'pod', pod, '-n', namespace, '-o', `jsonpath=${path}`]);
      t.is(await reads(await podOf(place)), 'data');
      t.is((await oneOf(place))?.status?.attempt, 1);
      // Its node reads the Secret as it starts, so it is enough that each attempt has it read.
      t.is(await reads(await triesAnew(place)), 'data');
      t.notRegex(await user.does(['get', 'run,pod', '-n', namespace, '-o', 'json']), /another|YW5vdGhlcg/);
    },
  },
  'its GPU class is deleted': {
    ...GOES_ON,
    tenant: { quotas: { gpus: [{ class: 'faults-class', count: 2 }] } },
    worker: { gpu: { class: 'faults-class' } },
    play: async (t, place) => {
      await place.user.does(['delete', 'gpuclass/faults-class', '--timeout=60s']);
      await nobodyNew(t, place, 'AgentNotReady');
    },
    after: async (t, place) => {
      const [attempt] = (await oneOf(place))?.status?.usage?.attempts ?? [];
      t.is(attempt?.rate.gpu?.multiplierPercent, 250);
    },
  },
  'the ledger of its tenant is deleted': {
    ...GOES_ON,
    tenant: { quotas: { runs: { maxConcurrent: 1 } } },
    play: async (t, place) => {
      const name = `quotaledger/${tenantOf(place)}`;
      const before = (await place.user.sees<Status>(name))?.metadata.uid;
      await place.user.does(['delete', name, '--timeout=60s']);
      await eventually('the new ledger has its place', async () => {
        const uid = (await place.user.sees<Status>(name))?.metadata.uid;
        return uid !== before && (await placesOf(place)).join() === 'one';
      });
      await nobodyNew(t, place, 'ConcurrencyExceeded');
    },
  },
  'it is deleted by force': {
    ...GONE,
    play: async (t, place) => {
      const { user, namespace } = place;
      const pod = await podOf(place);
      await user.does(['delete', 'run/one', '-n', namespace, '--grace-period=0', '--force']);
      await eventually('its pod is gone', async () => {
        return (await user.sees('-n', namespace, `pod/${pod}`)) === undefined;
      });
      await givesBack(place);
      await isCounted(place);
      t.is(await oneOf(place), undefined);
    },
  },
};
