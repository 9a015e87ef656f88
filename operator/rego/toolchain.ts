// SPDX-License-Identifier: Apache-2.0
import { tmpdir } from 'node:os';
import { type OpaCapabilities, restrictCapabilities } from '../policy/capabilities.ts';
import { type HostOptions, PolicyHost } from '../policy/host.ts';
import { opaRunner, type RunOpa } from './opa.ts';
import { LONG_MS } from './trial.ts';

/** The compiler of Rego, and what packs are compiled with. */
export interface Toolchain {
  readonly run: RunOpa;
  /** Text of the capabilities that packs are compiled with: what the compiler knows, less what our host has not. */
  readonly capabilities: () => Promise<string>;
  /** Name and version of the compiler. */
  readonly compiler: () => Promise<string>;
}

const TIMEOUT_MS = 10_000;

/** A host for what is tried once: nobody waits for it but who tries, and what it holds goes with it. */
export function trialHost(metrics: HostOptions['metrics']): PolicyHost {
  const limits = {
    maxDeadlineMs: LONG_MS,
    loadDeadlineMs: LONG_MS,
    maxWaitMs: 10_000,
    budget: { msPerSecond: 1000, burstMs: 60_000 },
    quarantine: { strikes: 1000, withinMs: 60_000 },
  };
  return new PolicyHost({ platformWorkers: 1, tenantWorkers: 1, spareWorkers: 0, metrics, limits });
}

/** The compiler at `path`. What it says of itself is asked for once. */
export function toolchainAt(path: string): Toolchain {
  const run = opaRunner(path);
  const ask = async (args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(args, { cwd: tmpdir(), timeoutMs: TIMEOUT_MS });
    if (code !== 0) throw new Error(`${path} ${args.join(' ')} ended with ${code}: ${stderr.slice(0, 200)}`);
    return stdout;
  };
  return {
    run,
    capabilities: once(async () => {
      const current = JSON.parse(await ask(['capabilities', '--current'])) as OpaCapabilities;
      return JSON.stringify(restrictCapabilities(current));
    }),
    compiler: once(async () => {
      const [, version = 'unknown'] = /^Version:\s*(\S+)/m.exec(await ask(['version'])) ?? [];
      return `opa ${version}`;
    }),
  };
}

/** What failed is tried again by who asks next. */
function once<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined;
  return () => {
    found ??= find().catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return found;
  };
}
