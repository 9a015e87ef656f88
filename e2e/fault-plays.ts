// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ExecutionContext } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { deletePodByForce } from '#hack/system/delete-by-force';
import { eventually } from '#hack/tools/eventually';
import { phase, run, type RunChoice, waits, type World } from './run-world.ts';

/** Before the annotations that simulated nodes read. */
export const KWOK = 'kwok.nexusos.dev';
/** Long enough for something to happen meanwhile, however busy the machine is. */
export const LONG: RunChoice = { annotations: { [`${KWOK}/duration`]: '1h' } };

/** What is read of a Run. */
export interface Status {
  readonly metadata: { readonly uid: string };
  readonly status?: {
    readonly phase?: string;
    readonly attempt?: number;
    readonly error?: { readonly code: string };
    readonly retries?: { readonly spent: number };
    readonly input?: { readonly digest: string };
    readonly child?: { readonly name: string; readonly uid?: string; readonly refusedAt?: string };
    readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
    readonly usage?: {
      readonly attempts?: readonly {
        readonly rate: { readonly gpu?: { readonly multiplierPercent: number } };
      }[];
    };
  };
}

/** The Run that something happens to. */
export function oneOf({ user, namespace }: World): Promise<Status | undefined> {
  return user.sees<Status>('-n', namespace, 'run/one');
}

/** Waits until that Run is in a phase. */
export function becomes(place: World, want: string): Promise<unknown> {
  return eventually(`the Run is ${want}`, async () => {
    const seen = await oneOf(place);
    if (seen?.status?.phase !== want) throw new Error(JSON.stringify(seen?.status));
    return true;
  });
}

/** Name of the pod of the present attempt. */
export async function podOf(place: World): Promise<string> {
  const { user, namespace } = place;
  return eventually('it has a pod', async () => {
    const name = (await oneOf(place))?.status?.child?.name;
    // It is told before it is made.
    const isThere = name !== undefined && (await user.sees('-n', namespace, `pod/${name}`)) !== undefined;
    return isThere ? name : undefined;
  });
}

/** Has the pod of the present attempt evicted, as who drains its node does. */
export async function evicts(place: World): Promise<string> {
  const { namespace, user } = place;
  const name = await podOf(place);
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
  await user.does(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
  return name;
}

/** Has it tried anew, and resolves with the name of the pod of that when its container runs. */
export async function triesAnew(place: World): Promise<string> {
  const before = await podOf(place);
  await evicts(place);
  await eventually('another attempt runs', async () => {
    const { attempt = 1, phase: now } = (await oneOf(place))?.status ?? {};
    return attempt >= 2 && now === 'Running' && (await podOf(place)) !== before;
  });
  return podOf(place);
}

/** Changes an object, as `kubectl patch` names it. */
export function patch({ user }: World, what: readonly string[], body: object): Promise<string> {
  return user.does(['patch', ...what, '--type=merge', '-p', JSON.stringify(body)]);
}

/** The tenant whose namespace it is. */
export function tenantOf({ namespace }: World): string {
  return namespace.replace(/-main$/, '');
}

/** It starts anew, spends no retry, and ends well. */
export async function startsAnew(t: ExecutionContext, place: World): Promise<void> {
  // Where the machine is busy, the second may have been lost as well before it was let end well.
  await eventually('it is tried anew', async () => ((await oneOf(place))?.status?.attempt ?? 1) >= 2);
  await becomes(place, 'Succeeded');
  t.is((await oneOf(place))?.status?.retries?.spent ?? 0, 0);
}

/** Resolves when `Ready` has that reason, be it for a moment only, once it listens. */
export async function says({ user, namespace }: World, reason: string): Promise<void> {
  const condition = `jsonpath={.status.conditions[?(@.type=="Ready")].reason}=${reason}`;
  await user.does(['wait', 'run/one', '-n', namespace, `--for=${condition}`, '--timeout=120s']);
}

/** Deletes the pod of the present attempt, and does not wait for its end. */
export async function deletesPod(place: World): Promise<void> {
  await place.user.does(['delete', 'pod', await podOf(place), '-n', place.namespace, '--wait=false']);
}

/** No node has so many cores: who starts a pod of it is the test. */
export const UNPLACED = {
  container: { image: 'registry.example/worker:1', resources: { requests: { cpu: '1000', memory: '64Mi' } } },
};
/** What `status.input.digest` is of that input. */
export function digestOf(input: string): string {
  return `sha256:${createHash('sha256').update(input).digest('hex')}`;
}

const SILENT_NODE = 'faults-silent';

/** Puts the pod on a node on which nobody does anything, says there for so long what its container waits for, and lets the pod go. */
export async function cannotStart(place: World, reason: string, minutes: number): Promise<void> {
  const { user, namespace } = place;
  const name = await podOf(place);
  await user.applies({ apiVersion: 'v1', kind: 'Node', metadata: { name: SILENT_NODE } });
  const target = { apiVersion: 'v1', kind: 'Node', name: SILENT_NODE };
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target };
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/binding`;
  await user.does(['create', '--raw', path, '-f', '-'], JSON.stringify(binding));
  const since = `${new Date(Date.now() - minutes * 60_000).toISOString().slice(0, 19)}Z`;
  const status = {
    phase: 'Pending',
    conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: since }],
    containerStatuses: [
      {
        name: 'agent',
        image: 'registry.example/worker:1',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { waiting: { reason, message: 'as its node says' } },
      },
    ],
  };
  const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await user.does(['patch', 'pod', name, '-n', namespace, ...how]);
  await eventually('it is given up', async () => {
    const pod = await user.sees<{ readonly metadata: { readonly deletionTimestamp?: string } }>(
      '-n',
      namespace,
      `pod/${name}`,
    );
    return pod === undefined || pod.metadata.deletionTimestamp !== undefined;
  });
  // What a kubelet would do.
  await deletePodByForce(await attachSystem(), { namespace, name });
}

/** Names of the Runs that hold a place by the ledger. */
export async function placesOf(place: World): Promise<readonly string[]> {
  const ledger = await place.user.sees<{
    readonly status?: { readonly reservations?: readonly { readonly name: string }[] };
  }>(`quotaledger/${tenantOf(place)}`);
  return (ledger?.status?.reservations ?? []).map(({ name }) => name);
}

/** Has the container of the present attempt end well, as its node would tell. */
export async function endsWell(place: World): Promise<void> {
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  const terminated = { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at };
  const container = { name: 'agent', image: 'registry.example/worker:1', imageID: '' };
  const containerStatuses = [{ ...container, ready: false, restartCount: 0, state: { terminated } }];
  const status = { phase: 'Succeeded', containerStatuses };
  const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await place.user.does(['patch', 'pod', await podOf(place), '-n', place.namespace, ...how]);
}

/** Changes the Tenant, and waits until its ledger goes by that. */
export async function changesTenant(place: World, spec: object, ledgerSpec: object): Promise<void> {
  const name = tenantOf(place);
  await patch(place, [`tenant/${name}`], { spec });
  await eventually('the ledger goes by that', async () => {
    const ledger = await place.user.sees<{
      readonly metadata: { readonly generation: number };
      readonly spec: Readonly<Record<string, unknown>>;
      readonly status?: { readonly observedGeneration?: number };
    }>(`quotaledger/${name}`);
    const isSaid = Object.entries(ledgerSpec).every(([key, value]) =>
      isDeepStrictEqual(ledger?.spec[key], value),
    );
    return isSaid && ledger?.status?.observedGeneration === ledger?.metadata.generation;
  });
}

/** Waits until no Run of the tenant holds a place. */
export async function givesBack(place: World): Promise<void> {
  await eventually('its place is given back', async () => (await placesOf(place)).length === 0);
}

/** Waits until the tenant has used something. */
export async function isCounted(place: World): Promise<void> {
  await eventually('what it used is counted', async () => {
    const ledger = await place.user.sees<{
      readonly status?: { readonly usage?: { readonly tiers: readonly unknown[] } };
    }>(`quotaledger/${tenantOf(place)}`);
    return (ledger?.status?.usage?.tiers.length ?? 0) > 0;
  });
}

/** Another Run waits for `reason` while `one` goes on, and has its turn at the end. */
export async function nobodyNew(t: ExecutionContext, place: World, reason: string): Promise<void> {
  await place.user.applies(run(place.namespace, 'next'));
  await waits(place, 'next', reason);
  t.is(await phase(place, 'one'), 'Running');
}

/** The class that is deleted. */
export const GPU_CLASS = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'GPUClass',
  metadata: { name: 'faults-class' },
  spec: {
    resourceName: 'nvidia.com/gpu',
    nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-L4' },
    tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
    multiplierPercent: 250,
  },
};
