// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '../core/object.ts';
import { ApiError } from './api-error.ts';
import { resourceString, versionPath } from './resource.ts';
import type { Transport } from './transport.ts';

/** Finds out how kinds are served, and remembers it. A kind that is missing is asked for again each time. */
export class Discovery {
  readonly #transport: Transport;
  readonly #known = new Map<string, Resource>();
  readonly #asking = new Map<string, Promise<void>>();

  constructor(transport: Transport, known: readonly Resource[]) {
    this.#transport = transport;
    for (const resource of known) this.#known.set(resourceString(resource), resource);
  }

  /**
   * The resource of a kind.
   *
   * @throws ApiError of code `not_found` when the API server does not serve it.
   */
  async resourceOf(apiVersion: string, kind: string): Promise<Resource> {
    const name = resourceString({ apiVersion, kind });
    if (!this.#known.has(name)) await this.#ask(apiVersion);
    const found = this.#known.get(name);
    if (found !== undefined) return found;
    throw new ApiError({
      status: 404,
      code: 'not_found',
      reason: 'NoKindMatch',
      message: `the API server serves no ${kind} of ${apiVersion}`,
    });
  }

  /** One request for all who ask at the same time. */
  #ask(apiVersion: string): Promise<void> {
    const asking = this.#asking.get(apiVersion);
    if (asking !== undefined) return asking;
    const answer = this.#learn(apiVersion).finally(() => this.#asking.delete(apiVersion));
    this.#asking.set(apiVersion, answer);
    return answer;
  }

  async #learn(apiVersion: string): Promise<void> {
    const answer = await this.#transport.request({ verb: 'get', path: versionPath(apiVersion) });
    for (const { name, kind, namespaced } of resourcesOf(answer)) {
      if (name.includes('/')) continue;
      this.#known.set(resourceString({ apiVersion, kind }), { apiVersion, kind, plural: name, namespaced });
    }
  }
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

function resourcesOf(answer: unknown): readonly ApiResource[] {
  if (typeof answer !== 'object' || answer === null || !('resources' in answer)) return [];
  return Array.isArray(answer.resources) ? (answer.resources as ApiResource[]) : [];
}
