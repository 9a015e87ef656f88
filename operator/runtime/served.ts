// SPDX-License-Identifier: Apache-2.0
import { hasStatus } from './api-error.ts';
import type { Client } from './client.ts';
import { versionPath } from './resource.ts';

/** Kinds of others that may be there or not. */
export interface Wanted {
  readonly group: string;
  /** In the order of preference. */
  readonly versions: readonly string[];
  /** Plurals. All of them, or it counts as not there. */
  readonly resources: readonly string[];
}

/** How those who want to know are told. */
export interface ServedWatch {
  readonly wanted: Wanted;
  /** The version that was found at first. */
  readonly found: string | undefined;
  readonly everyMs: number;
  /** Called once, with the version that is served now. */
  readonly onChange: (found: string | undefined) => void;
}

/**
 * The version in which all that is wanted is served, as the API server says now; undefined where there is none.
 *
 * @throws ApiError when it cannot say.
 */
export async function servedVersion(client: Client, wanted: Wanted): Promise<string | undefined> {
  for (const version of wanted.versions) {
    const served = await resourcesOf(client, `${wanted.group}/${version}`);
    if (wanted.resources.every((name) => served.has(name))) return version;
  }
  return undefined;
}

/**
 * Asks from time to time, until the answer is another one; while the API server cannot say, nothing has changed. What is returned ends it.
 * It does not keep the process alive.
 */
export function watchServed(client: Client, watch: ServedWatch): () => void {
  let hasEnded = false;
  const timer = setInterval(() => void look(), watch.everyMs);
  timer.unref();
  const end = () => {
    hasEnded = true;
    clearInterval(timer);
  };
  const look = async () => {
    const now = await servedVersion(client, watch.wanted).catch(() => watch.found);
    if (now === watch.found || hasEnded) return;
    end();
    watch.onChange(now);
  };
  return end;
}

async function resourcesOf(client: Client, apiVersion: string): Promise<ReadonlySet<string>> {
  try {
    const answer = await client.raw({ verb: 'get', path: versionPath(apiVersion) });
    return new Set(namesIn(answer));
  } catch (error) {
    if (hasStatus(error, 404)) return new Set();
    throw error;
  }
}

function namesIn(answer: unknown): readonly string[] {
  if (typeof answer !== 'object' || answer === null || !('resources' in answer)) return [];
  if (!Array.isArray(answer.resources)) return [];
  return answer.resources.flatMap((one: unknown) =>
    typeof one === 'object' && one !== null && 'name' in one && typeof one.name === 'string'
      ? [one.name]
      : [],
  );
}
