// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTools } from './build.ts';
import { dieWithParent } from './die-with-parent.ts';
import { signalChild } from './signal-child.ts';

/** What a registry is to be like. */
export interface RegistryOptions {
  /** It speaks https by this certificate; without, http. PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Lines of `user:bcrypt`: it asks for a user and a password. */
  readonly htpasswd?: string;
  /** It asks for tokens that somebody gives at an address, signed by a key of the set. */
  readonly tokens?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    /** A JSON Web Key Set. */
    readonly jwks: string;
  };
  /** The port to listen on: to come back where it was. Default: any that is free. */
  readonly port?: number;
  /** Where it keeps what is pushed; default: in memory. */
  readonly folder?: string;
}

/** A registry that runs. */
export interface RunningRegistry {
  /** Host and port, as in references. */
  readonly host: string;
  readonly port: number;
  /** Its number. */
  readonly pid: number;
  /** Ends it at once. */
  stop(): Promise<void>;
}

/** Starts the registry that many run, on loopback. It ends with this process. Throws with its words where it does not start. */
export async function startRegistry(options: RegistryOptions = {}): Promise<RunningRegistry> {
  const { registry } = await ensureTools(['registry']);
  const folder = await mkdtemp(join(tmpdir(), `nexusos-registry-${process.pid}-`));
  await writeFiles(folder, options);
  const command = dieWithParent({ program: registry, args: ['serve', join(folder, 'config.yml')] });
  const child = spawn(command.program, command.args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', OTEL_TRACES_EXPORTER: 'none' },
  });
  const port = await portOf(child).catch(async (error: unknown) => {
    await stop(child, folder);
    throw error;
  });
  return { host: `localhost:${port}`, port, pid: child.pid ?? Number.NaN, stop: () => stop(child, folder) };
}

async function writeFiles(folder: string, options: RegistryOptions): Promise<void> {
  const at = (name: string): string => join(folder, name);
  const { tls, htpasswd, tokens } = options;
  // What is JSON is YAML.
  await writeFile(at('config.yml'), JSON.stringify(configOf(options, at)));
  if (tls !== undefined) {
    await writeFile(at('tls.crt'), tls.certificate);
    await writeFile(at('tls.key'), tls.key, { mode: 0o600 });
  }
  if (htpasswd !== undefined) await writeFile(at('htpasswd'), `${htpasswd}\n`);
  if (tokens !== undefined) await writeFile(at('jwks.json'), tokens.jwks);
}

function configOf(
  { tls, htpasswd, tokens, port = 0, folder }: RegistryOptions,
  at: (name: string) => string,
) {
  const { realm, service, issuer } = tokens ?? {};
  return {
    version: '0.1',
    log: { level: 'info', formatter: 'json', accesslog: { disabled: true } },
    storage: {
      ...(folder === undefined ? { inmemory: {} } : { filesystem: { rootdirectory: folder } }),
      delete: { enabled: true },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(tls && { tls: { certificate: at('tls.crt'), key: at('tls.key') } }),
    },
    ...(htpasswd !== undefined && {
      auth: { htpasswd: { realm: 'registry', path: at('htpasswd') } },
    }),
    ...(tokens && { auth: { token: { realm, service, issuer, jwks: at('jwks.json') } } }),
  };
}

const START_MS = 20_000;
const KEPT = 4000;

/** It says itself where it listens. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string): void => reject(new Error(`The registry does not start: ${why}\n${said}`));
    const timer = setTimeout(() => fail('it does not say where it listens'), START_MS);
    child.once('error', ({ message }) => fail(message));
    child.once('exit', (code) => fail(`it ended with ${code}`));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-KEPT);
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(Number(port));
    });
  });
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (signalChild(child, 'SIGKILL')) await ended;
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
