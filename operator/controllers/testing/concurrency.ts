// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../../core/object.ts';
import { follow } from '../../runtime/testing/follow.ts';
import type { WorkloadRig } from './workload-rig.ts';

/** What was seen of objects of one kind, one watch event after the other. */
export interface Tally {
  /** The most that `counts` held of at one time. */
  readonly most: number;
  /** UIDs of all that were ever seen. */
  readonly seen: ReadonlySet<string>;
  /** Ends it. @throws what broke the watch before, if something did: then the figures prove nothing. */
  stop(): Promise<void>;
}

/**
 * Counts objects of a namespace for which `counts` holds, at every event of a watch of the test's own: nothing that
 * happened between two looks is missed.
 */
export async function tally(
  { client }: WorkloadRig,
  target: { readonly resource: Resource; readonly namespace: string },
  counts: (object: KubeObject) => boolean,
): Promise<Tally> {
  const live = new Set<string>();
  const seen = new Set<string>();
  let most = 0;
  const following = await follow({ client, ...target }, ({ type, object }) => {
    const { uid = '' } = object.metadata;
    seen.add(uid);
    if (type === 'put' && counts(object)) live.add(uid);
    else live.delete(uid);
    most = Math.max(most, live.size);
  });
  return {
    get most() {
      return most;
    },
    seen,
    stop: () => following.stop(),
  };
}
