// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import { kept } from '#operator/core/policy/inventory';
import { Informer, type InformerOptions } from '#operator/runtime/informer';

/** Objects of a kind, as a watch tells them. */
export interface KindWatch {
  /** Whether everything was read once. */
  readonly isSynced: boolean;
  /** When the API server told anything last, by the clock of `performance`. Where nothing happens, it says that about every minute. */
  readonly toldAtMs: number;
  readonly size: number;
  list(): readonly KubeObject[];
  close(): void;
}

/**
 * Opens a watch that keeps these fields of objects, or all; `onChange` is called with every change, and once everything was read.
 */
export type OpenKind = (
  resource: Resource,
  onChange: () => void,
  fields: readonly string[] | undefined,
) => KindWatch;

/** Watches kinds that packs look at. That there are too many objects is told once all have been read. */
export function kindWatches(
  options: Pick<InformerOptions, 'client' | 'timing' | 'metrics' | 'log'>,
): OpenKind {
  return (resource, onChange, fields) => {
    const ending = new AbortController();
    const trim = fields === undefined ? undefined : (object: KubeObject) => kept(object, resource, fields);
    const informer = new Informer({ ...options, resource, selection: {}, indexers: {}, trim });
    informer.onChange(onChange);
    void informer.run(ending.signal);
    void informer.synced.then(onChange);
    return {
      get isSynced() {
        return informer.isSynced;
      },
      get toldAtMs() {
        return informer.toldAtMs;
      },
      get size() {
        return informer.store.size;
      },
      list: () => informer.store.list(),
      close: () => ending.abort(),
    };
  };
}
