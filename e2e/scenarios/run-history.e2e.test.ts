// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { agent, type Run, run, type World, world } from '../run-world.ts';

interface Listed {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

async function names({ user, namespace }: World): Promise<readonly string[]> {
  const found = await user.sees<Listed>('runs', '-n', namespace);
  return (found?.items ?? []).map(({ metadata }) => metadata.name).toSorted();
}

/** Runs that end one after the other, in the order of their names. */
async function runsOf(place: World, prefix: string, count: number): Promise<void> {
  for (let i = 1; i <= count; i += 1) {
    await place.user.applies(run(place.namespace, `${prefix}-${i}`));
    await eventually(`${prefix}-${i} has ended`, async () => {
      // Of the oldest, the limit may have taken one by then. That nothing is said of one yet is something else.
      const found = await place.user.sees<Run>('-n', place.namespace, `run/${prefix}-${i}`);
      return found === undefined || found.status?.phase === 'Succeeded';
    });
  }
}

function kept(place: World, want: readonly string[]): Promise<unknown> {
  return eventually(`kept are ${want.join(', ')}`, async () => {
    const found = await names(place);
    if (found.join() !== want.join()) throw new Error(`there are ${found.join(', ')}`);
    return true;
  });
}

test('an Agent keeps as many finished Runs as it says, the newest, also when it says so later', async (t) => {
  const place = await world(t, 'forgetful');
  await runsOf(place, 'a', 4);
  t.deepEqual(await names(place), ['a-1', 'a-2', 'a-3', 'a-4']);
  await place.user.applies(agent(place.namespace, { history: { successfulRunsLimit: 2 } }));
  await kept(place, ['a-3', 'a-4']);
  await runsOf(place, 'b', 1);
  await kept(place, ['a-4', 'b-1']);
});

test('a tenant keeps no more finished Runs than the platform lets it, over all of its Agents', async (t) => {
  const place = await world(t, 'brimful', { tenant: { runHistory: { limit: 1 } } });
  const { user, namespace } = place;
  const other = agent(namespace, {});
  await user.applies({ ...other, metadata: { ...other.metadata, name: 'other' } });
  await runsOf(place, 'a', 2);
  await kept(place, ['a-2']);
  await user.applies(run(namespace, 'z-other', { spec: { agentRef: { name: 'other' } } }));
  await kept(place, ['z-other']);
  // What has gone was counted before.
  const ledger = await user.sees<{ status?: { reservations?: readonly object[] } }>('quotaledger/brimful');
  t.true((ledger?.status?.reservations ?? []).length <= 1);
});
