// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dieWithParent } from '#hack/tools/die-with-parent';
import type { User } from './user.ts';

interface Item {
  readonly key: string;
  readonly path: string;
}

interface Source {
  readonly name: string;
  readonly items: readonly Item[];
}

/** What is read of a pod here. */
export interface PlayedPod {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: {
    readonly volumes: readonly {
      readonly name: string;
      readonly projected?: {
        readonly sources: readonly { readonly configMap?: Source; readonly secret?: Source }[];
      };
    }[];
    readonly containers: readonly {
      readonly name: string;
      readonly image: string;
      readonly command?: readonly string[];
      readonly env: readonly {
        readonly name: string;
        readonly value?: string;
        readonly valueFrom?: { readonly configMapKeyRef: { readonly name: string; readonly key: string } };
      }[];
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    }[];
  };
}

interface Stored {
  readonly data?: Readonly<Record<string, string>>;
}

/** The file that a role of the image starts from, by its name there. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'remote.mjs': join(import.meta.dirname, '../remote/main.ts'),
};

/** A node on which nobody starts anything: pods stay as they were put there. */
export const QUIET_NODE = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'quiet' } };

/** Puts a pod on the node. */
export async function bind(admin: User, { metadata: { name, namespace } }: PlayedPod): Promise<void> {
  const target = { apiVersion: 'v1', kind: 'Node', name: QUIET_NODE.metadata.name };
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target };
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/binding`;
  await admin.does(['create', '--raw', path, '-f', '-'], JSON.stringify(binding));
}

/** Has the node tell that it cannot mount a volume, in the words of a kubelet. */
export async function failMount(admin: User, pod: PlayedPod, message: string): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.1`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
    type: 'Warning',
    reason: 'FailedMount',
    message,
    firstTimestamp: at,
    lastTimestamp: at,
  };
  await admin.does(['create', '-f', '-'], JSON.stringify(event));
}

/**
 * Runs the one container of a pod as a process of this machine, as its node would: with the files, variables and command of the pod, and what it
 * says at its end written into the status of the pod. `folder` stands for the root of its file system.
 */
export async function playPod(
  admin: User,
  pod: PlayedPod,
  folder: string,
): Promise<{ readonly log: string }> {
  const [container] = pod.spec.containers;
  if (container === undefined) throw new Error('the pod has no container');
  await mountVolumes(admin, pod, folder);
  const resultFile = join(folder, 'dev/termination-log');
  await mkdir(dirname(resultFile), { recursive: true });
  await writeFile(resultFile, '');
  const env = await environmentOf(admin, pod, folder);
  const startedAt = now();
  await tell(admin, pod, { phase: 'Running', state: { running: { startedAt } } });
  const { code, log } = await execute(container.command ?? [], env);
  const message = (await readFile(resultFile, 'utf8')).slice(0, 4096);
  const reason = code === 0 ? 'Completed' : 'Error';
  const terminated = { exitCode: code, reason, message, startedAt, finishedAt: now() };
  await tell(admin, pod, { phase: code === 0 ? 'Succeeded' : 'Failed', state: { terminated } });
  return { log };
}

async function mountVolumes(admin: User, { metadata, spec }: PlayedPod, folder: string): Promise<void> {
  const mounts = spec.containers[0]?.volumeMounts ?? [];
  for (const { name, projected } of spec.volumes) {
    const mountPath = mounts.find((one) => one.name === name)?.mountPath ?? '';
    for (const projection of projected?.sources ?? []) {
      const files = await filesOf(admin, metadata.namespace, projection);
      for (const [path, content] of files) await place(join(folder, mountPath, path), content);
    }
  }
}

async function filesOf(
  admin: User,
  namespace: string,
  { configMap, secret }: { readonly configMap?: Source; readonly secret?: Source },
): Promise<ReadonlyMap<string, Buffer>> {
  const [kind, source] = secret === undefined ? ['configmap', configMap] : ['secret', secret];
  const found = await admin.sees<Stored>('-n', namespace, `${kind}/${source?.name}`);
  const files = (source?.items ?? []).map(({ key, path }) => {
    const value = found?.data?.[key];
    if (value === undefined) throw new Error(`there is no ${kind} ${source?.name} with ${key}`);
    return [path, Buffer.from(value, secret === undefined ? 'utf8' : 'base64')] as const;
  });
  return new Map(files);
}

async function place(path: string, content: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** Paths in the variables are those of the container. */
async function environmentOf(admin: User, { metadata, spec }: PlayedPod, folder: string) {
  const env: Record<string, string> = {};
  for (const { name, value = '', valueFrom } of spec.containers[0]?.env ?? []) {
    const ref = valueFrom?.configMapKeyRef;
    const found =
      ref && (await admin.sees<Stored>('-n', metadata.namespace, `configmap/${ref.name}`))?.data?.[ref.key];
    env[name] = (found ?? value)
      .replaceAll('$$(', '$(')
      .replaceAll('/var/run/nexusos/', `${folder}/var/run/nexusos/`)
      .replaceAll('/dev/termination-log', `${folder}/dev/termination-log`);
  }
  return env;
}

async function execute(command: readonly string[], env: Readonly<Record<string, string>>) {
  const [interpreter, file = ''] = command;
  const source = PROGRAMS[file];
  if (interpreter !== 'node' || source === undefined) throw new Error(`not known here: ${command.join(' ')}`);
  const { program, args } = dieWithParent({ program: process.execPath, args: [source] });
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => (log += String(text)));
  }
  await once(child, 'close');
  return { code: child.exitCode ?? 137, log };
}

async function tell(
  admin: User,
  { metadata: { name, namespace }, spec }: PlayedPod,
  { phase, state }: { readonly phase: string; readonly state: object },
): Promise<void> {
  const { name: container = '', image = '' } = spec.containers[0] ?? {};
  const isRunning = phase === 'Running';
  const one = { name: container, image, imageID: '', ready: isRunning, restartCount: 0, state };
  const patch = JSON.stringify({ status: { phase, containerStatuses: [one] } });
  await admin.does([
    'patch',
    `pod/${name}`,
    '-n',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    patch,
  ]);
}

/** As a kubelet writes instants. */
function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
