// SPDX-License-Identifier: Apache-2.0
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { ensureTools } from '../tools/build.ts';
import { cacheFolder } from '../tools/cache-folder.ts';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { signalChild } from '../tools/signal-child.ts';
import { PLATFORM_NAMESPACE } from './chart.ts';
import { SHIPPED_NODE_OPTIONS } from './node-options.ts';
import { OperatorLog } from './operator-log.ts';
import { keepTokenFile, type TokenFile } from './service-account-token.ts';

/** Set while tests run the operator of a bundle, as the image has it: half of the time of a start is reading its sources. */
export const operatorProgramVariable = 'NEXUSOS_TEST_OPERATOR_PROGRAM';

/** How the operator is started. */
export interface OperatorOptions {
  /** The program. Default: that of NEXUSOS_TEST_OPERATOR_PROGRAM, else its sources. */
  readonly program?: string;
  /** Settings that win over those of the chart, as environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Address of the API server, when something stands in front of it. */
  readonly apiServer?: string;
  /** How long it may take until it is ready, in milliseconds. Default: two minutes, for a machine that others keep busy. */
  readonly readyTimeoutMs?: number;
  /** Ends the waiting for it, and it, when it is aborted before it is ready. */
  readonly signal?: AbortSignal;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

const MAIN = join(import.meta.dirname, '../../operator/main.ts');
const LEAVE = join(import.meta.dirname, '../../operator/leave.ts');
/**
 * The old generation as Node sets it by itself in a pod of the chart: half of its memory limit. How long garbage may wait follows from that, and would
 * otherwise follow from the memory of this machine.
 */
const NODE_OPTIONS = [...SHIPPED_NODE_OPTIONS, '--max-old-space-size=512'];
const READY_MS = 120_000;

/** Which role of the image a process has: the ConfigMap of its settings, and the ServiceAccount whose rights it gets. */
export interface ProcessRole {
  readonly name: string;
  readonly program: string;
  readonly settings: string;
  readonly serviceAccount: (settings: Readonly<Record<string, string>>) => string;
}

const OPERATOR: Omit<ProcessRole, 'program'> = {
  name: 'operator',
  settings: 'nexusos-operator',
  serviceAccount: (settings) => settings['NEXUSOS_SERVICE_ACCOUNT'] ?? '',
};

/** The operator as a process of this machine. It ends with the process that started it. */
export class OperatorProcess {
  readonly log: OperatorLog;
  readonly pid: number;
  readonly #child: Child;
  readonly #token: TokenFile;
  readonly #closed: Promise<unknown>;
  #address: string | undefined;

  constructor(child: Child, token: TokenFile) {
    this.#child = child;
    this.#token = token;
    this.pid = child.pid ?? 0;
    this.log = new OperatorLog();
    this.log.onEntry((entry) => {
      if (entry.msg === 'starting' && typeof entry['listen'] === 'string') this.#address = entry['listen'];
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (chunk) => this.log.write(String(chunk)));
    }
    this.#closed = once(child, 'close');
  }

  /** Resolves with how it ended: an exit code, or the name of a signal. */
  async ended(): Promise<number | NodeJS.Signals> {
    await this.#closed;
    return this.#child.exitCode ?? this.#child.signalCode ?? 1;
  }

  /** Whether it has ended, however it went. */
  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Whether it says that it is ready. */
  async isReady(): Promise<boolean> {
    return (await this.#ask('/readyz')) !== undefined;
  }

  /** Its metrics in the Prometheus format. Throws when it does not answer. */
  async metrics(): Promise<string> {
    const text = await this.#ask('/metrics');
    if (text === undefined) throw new Error('the operator does not serve its metrics');
    return text;
  }

  /** Lets this process end while the operator still runs; it ends right after. */
  unref(): void {
    this.#child.unref();
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      // A pipe is a socket, whatever its type says.
      if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
    }
  }

  /** Ends it in order: SIGTERM, and SIGKILL after `graceMs`; by default as long as a pod of the chart has at least. */
  async stop(graceMs = 30_000): Promise<void> {
    this.#token.stop();
    signalChild(this.#child, 'SIGTERM');
    const killer = setTimeout(() => signalChild(this.#child, 'SIGKILL'), graceMs);
    await this.#closed;
    clearTimeout(killer);
  }

  /** Ends it at once, without its help. */
  async kill(): Promise<void> {
    this.#token.stop();
    signalChild(this.#child, 'SIGKILL');
    await this.#closed;
  }

  /** What it says with 200; undefined when it says something else, or nothing. */
  async #ask(path: string): Promise<string | undefined> {
    if (this.#address === undefined) return undefined;
    try {
      const answer = await request(`http://${this.#address}${path}`, { signal: AbortSignal.timeout(5000) });
      const text = await answer.body.text();
      return answer.statusCode === 200 ? text : undefined;
    } catch {
      return undefined;
    }
  }
}

/**
 * Runs the operator on this machine as it runs in a pod of the chart: with the settings of its ConfigMap and a token of
 * its ServiceAccount, and so with its permissions and no others. Resolves when it is ready. Throws, with the end of its
 * log, when it ends or is not ready in time.
 */
export async function startOperator(
  cluster: AttachedCluster,
  options: OperatorOptions = {},
): Promise<OperatorProcess> {
  const program = options.program ?? process.env[operatorProgramVariable] ?? MAIN;
  const operator = await spawnProgram(cluster, { ...OPERATOR, program }, options);
  await waitUntilReady(operator, options);
  return operator;
}

/**
 * Does what is done before the chart is removed, once the operator has ended: in a cluster, a hook of the chart does. Throws, with what it said, when
 * it fails.
 */
export async function leaveCluster(cluster: AttachedCluster): Promise<void> {
  const program = await spawnProgram(cluster, { ...OPERATOR, program: LEAVE });
  const how = await program.ended();
  await program.stop();
  if (how !== 0) throw new Error(`it ended with ${how}. The end of its log:\n${program.log.tail()}`);
}

/** Starts a program of the image with the settings of the chart and a token of its ServiceAccount. Resolves at once: it may not be ready. */
export async function spawnProgram(
  cluster: AttachedCluster,
  role: ProcessRole,
  options: Pick<OperatorOptions, 'apiServer' | 'env'> = {},
): Promise<OperatorProcess> {
  const { program } = role;
  const settings = await readSettings(cluster, role.settings);
  const folder = await mkdtemp(join(cluster.description.dataDir, `${role.name}-`));
  const caFile = join(folder, 'ca.crt');
  await writeFile(caFile, Buffer.from(cluster.caData, 'base64'));
  const token = await keepTokenFile(cluster, {
    namespace: PLATFORM_NAMESPACE,
    serviceAccount: role.serviceAccount(settings),
    path: join(folder, 'token'),
  });
  const isSource = program.endsWith('.ts');
  const env = {
    PATH: process.env['PATH'] ?? '',
    // Half of the time of a start is compiling; tests start it often. What is compiled of a bundle goes with the bundle.
    NODE_COMPILE_CACHE: join(isSource ? cacheFolder() : dirname(program), 'compiled'),
    ...settings,
    // The chart names that of the image.
    NEXUSOS_OPA_PATH: (await ensureTools(['opa'])).opa,
    NEXUSOS_API_SERVER: options.apiServer ?? cluster.url,
    NEXUSOS_TOKEN_FILE: token.path,
    NEXUSOS_CA_FILE: caFile,
    NEXUSOS_LISTEN: '127.0.0.1:0',
    ...options.env,
  };
  const command = dieWithParent({ program: process.execPath, args: [...NODE_OPTIONS, program] });
  const child = spawn(command.program, command.args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return new OperatorProcess(child, token);
}

async function readSettings(
  cluster: AttachedCluster,
  name: string,
): Promise<Readonly<Record<string, string>>> {
  const path = `/api/v1/namespaces/${PLATFORM_NAMESPACE}/configmaps/${name}`;
  const configMap = await cluster.admin.get(path);
  if (configMap === undefined)
    throw new Error(`the chart is not installed: its settings ${name} are not there`);
  return configMap['data'] as Readonly<Record<string, string>>;
}

/** Resolves when the process says that it is ready. Throws, with the end of its log, when it ends or is not ready in time; then it is ended. */
export async function waitUntilReady(
  operator: OperatorProcess,
  options: Pick<OperatorOptions, 'readyTimeoutMs' | 'signal'> & { readonly what?: string },
): Promise<void> {
  const { readyTimeoutMs = READY_MS, signal, what = 'the operator' } = options;
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await operator.isReady())) {
    const isLate = performance.now() > deadline || signal?.aborted === true;
    if (isLate || operator.hasEnded) {
      // Also where it has ended by itself: nobody needs its token any more.
      await operator.kill();
      const how = isLate
        ? `was not ready after ${readyTimeoutMs / 1000} s`
        : `ended with ${await operator.ended()}`;
      throw new Error(`${what} ${how}. The end of its log:\n${operator.log.tail()}`);
    }
    await delay(50);
  }
}
