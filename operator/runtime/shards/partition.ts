// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '../../core/object.ts';
import type { WatchTarget } from '../cache.ts';
import type { Key, Reader } from '../controller.ts';
import type { Change } from '../store.ts';

/** What goes together, when work is dealt out among processes. Asked with objects as they are stored, not parsed. */
export interface Partition {
  /**
   * Name of what the object of `key` is worked on with, whether or not there is one; undefined: by who leads. Processes may see
   * differently for a moment; then two work on an object, or none does until `moves` tells.
   */
  groupOf(resource: Resource, key: Key, read: Reader): string | undefined;
  /** Kinds that `groupOf` goes by, and the namespaces of which a change moves something. */
  readonly moves: readonly {
    readonly resource: Resource;
    /** As other watches on that kind have it: one that keeps all would have all kept. */
    readonly trim?: NonNullable<WatchTarget['trim']>;
    readonly namespaces: (change: Change) => readonly string[];
    /** What of these namespaces is moved; undefined: everything. */
    readonly moved?: Resource;
  }[];
}
