// SPDX-License-Identifier: Apache-2.0
import { ReconcileError, RefusedError } from '../core/errors.ts';
import type { ObjectRef } from '../core/object.ts';
import { ApiError, meetsEndOfNamespace } from './api-error.ts';
import { keyString } from './controller.ts';

/** Answers that speak of one object, and not of the API server or of us. */
const ABOUT_ONE_OBJECT: ReadonlySet<number> = new Set([400, 403, 404, 422]);

/**
 * What was refused while the effects of one plan are carried out. It holds up what follows in the same namespace, since the order
 * matters there (first the border, then who may work inside it), and nothing elsewhere: one namespace that a policy or an
 * object of somebody else keeps from being finished must not keep the others.
 */
export class Refusals {
  #first: Error | undefined;
  readonly #closed = new Set<string>();

  /**
   * Carries out `effect` on the object, unless something was refused in its namespace before.
   *
   * @throws whatever `effect` throws that is no refusal of this very object.
   */
  async attempt(ref: ObjectRef, effect: () => Promise<void>): Promise<void> {
    const namespace = ref.kind === 'Namespace' ? ref.name : ref.namespace;
    if (namespace !== undefined && this.#closed.has(namespace)) return;
    try {
      await effect();
    } catch (error) {
      const refusal = refusalOf(ref, error);
      if (refusal === undefined) throw error;
      // That one namespace goes is no fault, and must not hide the fault of another.
      if (this.#first === undefined || meetsEndOfNamespace(this.#first)) this.#first = refusal;
      if (namespace !== undefined) this.#closed.add(namespace);
    }
  }

  /** @throws ReconcileError or RefusedError for the first refusal, if there was one: that of a namespace that goes counts where there is no other. */
  throwFirst(): void {
    if (this.#first !== undefined) throw this.#first;
  }
}

function refusalOf(ref: ObjectRef, error: unknown): Error | undefined {
  if (error instanceof RefusedError) return error;
  if (!(error instanceof ApiError) || !ABOUT_ONE_OBJECT.has(error.status)) return undefined;
  return new ReconcileError(error.code, `${ref.kind} ${keyString(ref)}: ${error.words}`, { cause: error });
}
