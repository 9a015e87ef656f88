// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { type FaultCase, FAULTS } from '../fault-cases.ts';
import { becomes, endsWell, GPU_CLASS, oneOf, placesOf } from '../fault-plays.ts';
import { run, type World, world } from '../run-world.ts';
import { User } from '../user.ts';

const PAGE = join(import.meta.dirname, '../../docs/spec/v1alpha1/faults.md');

for (const [index, [title, fault]] of Object.entries(FAULTS).entries()) {
  test(`a Run of which ${title}: ${fault.reason}`, async (t) => {
    const admin = new User(await attachSystem());
    if (title.includes('GPU class')) await admin.applies(GPU_CLASS);
    const { tenant = {}, worker = {} } = fault;
    const place = await world(t, `faults-${index}`, { tenant, worker });
    const { user, namespace } = place;
    await user.does(['create', 'configmap', 'data', '-n', namespace, '--from-literal=doc=first']);
    await user.does(['create', 'secret', 'generic', 'data', '-n', namespace, '--from-literal=doc=first']);
    await fault.prepare?.(t, place);
    await user.applies(run(namespace, 'one', fault.one));
    if (fault.neverRuns === undefined) {
      await eventually('it runs', async () => {
        const seen = (await oneOf(place))?.status;
        return seen?.phase !== undefined && !['Queued', 'Admitted'].includes(seen.phase);
      });
    }
    await fault.play(t, place);
    if (fault.goesOn === true) await endsWell(place);
    await endsAs(t, place, fault);
    await fault.after?.(t, place);
  });
}

/** As the page says: the last reason and code of the Run, or none of it. */
async function endsAs(t: ExecutionContext, place: World, { reason, code }: FaultCase): Promise<void> {
  if (reason === 'gone') {
    t.is(await oneOf(place), undefined);
    return;
  }
  // What it waited for has passed by now, and was looked at when it was so.
  const last = ['NodeLost', 'Paused'].includes(reason) ? 'Succeeded' : reason;
  await becomes(place, last === 'Succeeded' ? 'Succeeded' : 'Failed');
  const { conditions = [], error } = (await oneOf(place))?.status ?? {};
  t.is(conditions.find(({ type }) => type === 'Ready')?.reason, last);
  t.is(error?.code ?? 'none', code);
  await eventually('its place is given back', async () => !(await placesOf(place)).includes('one'));
}

test('the page of faults says what is tried here, and nothing else', (t) => {
  const rows = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  const told = rows.map(([, fault = '', , reason = '', code = '']) => [fault, reason, code]);
  t.deepEqual(
    told,
    Object.entries(FAULTS).map(([fault, { reason, code }]) => [fault, reason, code]),
  );
});
