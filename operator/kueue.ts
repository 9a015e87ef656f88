// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from './config.ts';
import { type Kueue, KUEUE_GROUP, KUEUE_VERSIONS } from './core/kueue/kueue.ts';
import type { Client } from './runtime/client.ts';
import { servedVersion, type Wanted, watchServed } from './runtime/served.ts';
import type { Log } from './telemetry/log.ts';

const KINDS: Wanted = {
  group: KUEUE_GROUP,
  versions: KUEUE_VERSIONS,
  resources: ['clusterqueues', 'localqueues', 'resourceflavors', 'workloads'],
};

const ASK_AGAIN_MS = 1000;

/** Where Kueue is looked for, and what is told of it. */
export interface KueueSearch {
  readonly client: Client;
  readonly config: Config;
  readonly log: Log;
}

/** Kueue, if it is to decide on capacity; asks until the API server answers. Without it, or where it is off, undefined. */
export async function findKueue({ client, config, log }: KueueSearch): Promise<Kueue | undefined> {
  if (config.kueue === 'Off') return undefined;
  const found = await ask(client, log);
  const version = KUEUE_VERSIONS.find((one) => one === found);
  if (version === undefined) {
    log.info({ mode: config.kueue }, 'the kinds of Kueue are not served');
    return config.kueue === 'Required' ? { isServed: false } : undefined;
  }
  log.info({ version }, 'Kueue decides on capacity');
  return {
    isServed: true,
    version,
    cohort: config.kueueCohort,
    guaranteedPercent: config.kueueGuaranteedPercent,
    flavors: config.kueueFlavors,
    priorityClasses: config.kueuePriorityClasses,
    ...(config.kueueDefaultFlavor !== undefined && { defaultFlavor: config.kueueDefaultFlavor }),
  };
}

/**
 * Calls `restart` when the kinds of Kueue come or go, or are served in another version. What is watched is fixed while the operator runs;
 * a start takes a second, and decides anew.
 */
export function restartWithKueue(
  { client, config, log }: KueueSearch,
  kueue: Kueue | undefined,
  restart: () => void,
): void {
  if (config.kueue === 'Off') return;
  const found = kueue?.isServed === true ? kueue.version : undefined;
  const onChange = (version: string | undefined) => {
    log.info({ was: found, version }, 'the kinds of Kueue have come or gone: starting anew');
    restart();
  };
  watchServed(client, { wanted: KINDS, found, everyMs: config.kueueCheckMs, onChange });
}

async function ask(client: Client, log: Log): Promise<string | undefined> {
  for (;;) {
    try {
      return await servedVersion(client, KINDS);
    } catch (error) {
      log.warn({ err: error }, 'the API server does not say whether Kueue is there; asking again');
      await delay(ASK_AGAIN_MS);
    }
  }
}
