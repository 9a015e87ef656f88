// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { parseAllDocuments } from 'yaml';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { tenantManifest, User } from './user.ts';

const CLASSES = join(import.meta.dirname, '../crds/samples/gpu-classes.yaml');
/** A Run that does not end by itself. */
export const FOREVER: RunChoice = { annotations: { 'kwok.nexusos.dev/duration': '1h' } };

/** What scenarios read of a Run. */
export interface Run {
  readonly metadata: { readonly name: string; readonly creationTimestamp: string };
  readonly status?: {
    readonly phase?: string;
    readonly attempt?: number;
    readonly retries?: { readonly spent: number; readonly notBefore?: string };
    readonly error?: { readonly code: string; readonly message: string };
    readonly queue?: { readonly position?: number };
    readonly child?: { readonly name: string };
  };
}

/** The Agent `worker` of a namespace. */
export function agent(namespace: string, spec: object = {}) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Agent',
    metadata: { name: 'worker', namespace },
    spec: {
      container: {
        image: 'registry.example/worker:1',
        resources: { requests: { cpu: '100m', memory: '64Mi' } },
      },
      ...spec,
    },
  };
}

/** What a scenario chooses of a Run. */
export interface RunChoice {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: object;
}

/** A Run of `worker`. */
export function run(namespace: string, name: string, { annotations = {}, spec = {} }: RunChoice = {}) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Run',
    metadata: { name, namespace, annotations },
    spec: { agentRef: { name: 'worker' }, ...spec },
  };
}

/** A user, and the namespace of a tenant with the Agent `worker`. */
export interface World {
  readonly user: User;
  readonly namespace: string;
}

/** A tenant with the namespace `<name>-main` and the Agent `worker` in it, both Ready; its Runs end with the test. */
export async function world(
  t: ExecutionContext,
  name: string,
  { tenant = {}, worker = {} }: { readonly tenant?: object; readonly worker?: object } = {},
): Promise<World> {
  const user = new User(await attachSystem());
  const namespace = `${name}-main`;
  const classes = parseAllDocuments(await readFile(CLASSES, 'utf8')).map((one): object => one.toJS());
  await user.applies(...classes, tenantManifest(name, tenant));
  await user.awaitsReady(`tenant/${name}`);
  await user.applies(agent(namespace, worker));
  await user.awaitsReady('-n', namespace, 'agent/worker');
  t.teardown(() => user.does(['delete', 'runs', '--all', '-n', namespace, '--wait=false']));
  return { user, namespace };
}

/** Phase of a Run. */
export function phase({ user, namespace }: World, name: string): Promise<string | undefined> {
  return user.sees<Run>('-n', namespace, `run/${name}`).then((one) => one?.status?.phase);
}

/** Waits until a Run says `reason`; returns the message with it. */
export async function waits({ user, namespace }: World, name: string, reason: string): Promise<string> {
  const found = await eventually(`${name} says ${reason}`, async () => {
    const ready = await user.condition('Ready', '-n', namespace, `run/${name}`);
    return ready?.reason === reason ? ready : undefined;
  });
  return found.message;
}

/** Has the next attempts of a Run end well, whatever it was made to end with. */
export async function letsSucceed({ user, namespace }: World, name: string): Promise<void> {
  const outcome = 'kwok.nexusos.dev/outcome=success';
  await user.does(['annotate', `run/${name}`, '-n', namespace, outcome, '--overwrite']);
}
