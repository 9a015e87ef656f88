// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { deletePodByForce } from '#hack/system/delete-by-force';
import { eventually } from '#hack/tools/eventually';
import { FOREVER, letsSucceed, phase, type Run, run, waits, type World, world } from '../run-world.ts';

const FAILS = {
  annotations: { 'kwok.nexusos.dev/outcome': 'exit-code', 'kwok.nexusos.dev/exit-code': '3' },
};
/** A test changes what the next attempt will do while it waits, or what one after it will, on a machine that others keep busy. */
const RETRIES = { limit: 10, backoffSeconds: 20, maxBackoffSeconds: 20 };

function seen({ user, namespace }: World, name: string): Promise<Run | undefined> {
  return user.sees<Run>('-n', namespace, `run/${name}`);
}

function patches({ user, namespace }: World, name: string, spec: object): Promise<string> {
  return user.does(['patch', 'run', name, '-n', namespace, '--type=merge', '-p', JSON.stringify({ spec })]);
}

test('a Run whose attempt fails is tried again, and its workloads are kept', async (t) => {
  const place = await world(t, 'again');
  const { user, namespace } = place;
  await user.applies(run(namespace, 'flaky', { ...FAILS, spec: { retries: RETRIES } }));
  t.regex(
    await waits(place, 'flaky', 'RetryBackoff'),
    /retry \d+ of 10 .* attempt \d+ failed: .*exit code 3/,
  );
  await letsSucceed(place, 'flaky');
  await eventually('it has succeeded', async () => (await phase(place, 'flaky')) === 'Succeeded');
  const { attempt = 0, retries } = (await seen(place, 'flaky'))?.status ?? {};
  t.true(attempt >= 2);
  t.like(retries, { spent: attempt - 1, limit: 10 });
  const pods = await user.does(['get', 'pods', '-n', namespace, '-l', 'nexusos.dev/run=flaky', '-o', 'name']);
  t.is(pods.trim().split('\n').length, attempt);
});

test('a Run fails when its retries are used up, and an Agent can bound them', async (t) => {
  const place = await world(t, 'bounded', { worker: { limits: { maxRetries: 1 } } });
  const { user, namespace } = place;
  const retries = { limit: 5, backoffSeconds: 0 };
  await user.applies(run(namespace, 'hopeless', { ...FAILS, spec: { retries } }));
  await eventually('it has failed', async () => (await phase(place, 'hopeless')) === 'Failed');
  const { status } = (await seen(place, 'hopeless')) ?? {};
  t.like(status, { attempt: 2, retries: { spent: 1, limit: 1 }, error: { code: 'internal_error' } });
});

test('a Run that is suspended gives its place away, and starts anew when it is resumed', async (t) => {
  const place = await world(t, 'holding', { tenant: { quotas: { runs: { maxConcurrent: 1 } } } });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'long', FOREVER));
  await eventually('it runs', async () => (await phase(place, 'long')) === 'Running');
  await user.applies(run(namespace, 'short'));
  await waits(place, 'short', 'ConcurrencyExceeded');
  await patches(place, 'long', { suspend: true });
  t.regex(await waits(place, 'long', 'Suspended'), /spec\.suspend/);
  await eventually('the other has succeeded', async () => (await phase(place, 'short')) === 'Succeeded');
  t.is(await phase(place, 'long'), 'Queued');
  await patches(place, 'long', { suspend: false });
  await eventually('it runs again', async () => (await phase(place, 'long')) === 'Running');
  t.is((await seen(place, 'long'))?.status?.attempt, 2);
});

test('a Run that is resumed while its workload still ends starts anew when that is gone', async (t) => {
  const place = await world(t, 'hasty');
  const { user, namespace } = place;
  // Far beyond the test, which ends it by force when it has looked: no machine is too slow for that.
  const annotations = { ...FOREVER.annotations, 'kwok.nexusos.dev/end-duration': '10m' };
  await user.applies(run(namespace, 'slow', { annotations }));
  await eventually('it runs', async () => (await phase(place, 'slow')) === 'Running');
  await patches(place, 'slow', { suspend: true });
  await waits(place, 'slow', 'Suspended');
  await user.does(['annotate', 'run/slow', '-n', namespace, 'kwok.nexusos.dev/end-duration-']);
  await patches(place, 'slow', { suspend: false });
  const { status: ending } = (await seen(place, 'slow')) ?? {};
  t.like(ending, { phase: 'Running', attempt: 1 }, 'its workload still ends');
  await deletePodByForce(await attachSystem(), { namespace, name: ending?.child?.name ?? '' });
  const status = await eventually('it runs anew, or has ended', async () => {
    const { status: now } = (await seen(place, 'slow')) ?? {};
    return now?.attempt === 2 || now?.phase === 'Failed' ? now : undefined;
  });
  t.is(status.error, undefined);
});

test('a Run that is not admitted before its deadline fails, and says what it waited for', async (t) => {
  const place = await world(t, 'punctual', { tenant: { quotas: { runs: { maxConcurrent: 0 } } } });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'late', { spec: { startingDeadlineSeconds: 3 } }));
  await eventually('it has failed', async () => (await phase(place, 'late')) === 'Failed');
  const { status } = (await seen(place, 'late')) ?? {};
  t.is(status?.error?.code, 'timeout');
  t.regex(status?.error?.message ?? '', /within 3 seconds .*quotas\.runs\.maxConcurrent/);
});
