// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import type { KubeObject } from '../core/object.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { EventRecorder, EVENTS } from './events.ts';
import { sumOf } from './testing/rig.ts';
import { createWidgetWorld, makeWidget } from './testing/widgets.ts';

async function makeRecorder(t: ExecutionContext, times: { readonly seriesWriteMs?: number } = {}) {
  const { kubeconfigPath } = await attachCluster();
  const world = await createWidgetWorld(kubeconfigPath);
  t.teardown(() => world.close());
  const metrics = createMetrics();
  const log = createLog({ level: 'silent' });
  const recorder = new EventRecorder({ client: world.client, identity: 'me', metrics, log, ...times });
  const widget = await world.client.create(world.widgets, makeWidget(world, 'a'), 'test');
  const listed = async (namespace = world.namespace): Promise<readonly KubeObject[]> => {
    const events: KubeObject[] = [];
    // All pages: other tests tell of things in `default` as well.
    for await (const { items } of world.client.list(EVENTS, { namespace })) events.push(...items);
    return events.filter((event) => event['reportingInstance'] === 'me');
  };
  const outcome = (name: string) => sumOf(metrics, 'nexusos_events_total', `outcome="${name}"`);
  return { recorder, world, widget, listed, outcome };
}

/** Far more than it takes, also on a busy machine: it resolves as soon as all is written. */
const FLUSH_MS = 60_000;

const said = (message: string) => ({ type: 'Normal', reason: 'Said', message }) as const;

test('an Event is told with all that kubectl describe shows, and cut to what the API server takes', async (t) => {
  const { recorder, widget, listed } = await makeRecorder(t);
  recorder.record('widget', widget, { type: 'Warning', reason: 'Stuck', message: 'ü'.repeat(2000) });
  await recorder.flush(FLUSH_MS);
  const [event] = await listed();
  t.like(event, { type: 'Warning', reason: 'Stuck', reportingController: 'nexusos-widget' });
  t.like(event?.['regarding'], { kind: 'Widget', name: 'a', uid: widget.metadata.uid });
  const note = String(event?.['note']);
  t.true(Buffer.byteLength(note) <= 1024);
  t.regex(note, /^ü+…$/);
});

test('the same Event again is counted, not written', async (t) => {
  const { recorder, widget, listed, outcome } = await makeRecorder(t);
  for (let i = 0; i < 50; i += 1) recorder.record('widget', widget, said('again'));
  await recorder.flush(FLUSH_MS);
  t.is((await listed()).length, 1);
  t.is(await outcome('aggregated'), 49);
});

test('a series whose Event was deleted is told by a new one, and counts on', async (t) => {
  const { recorder, world, widget, listed, outcome } = await makeRecorder(t, { seriesWriteMs: 0 });
  const tell = async () => {
    recorder.record('widget', widget, said('again'));
    await recorder.flush(FLUSH_MS);
  };
  await tell();
  const [first] = await listed();
  await world.client.delete(EVENTS, { namespace: world.namespace, name: first?.metadata.name ?? '' });
  t.deepEqual(await listed(), []);
  await tell();
  await tell();
  const [second, ...others] = await listed();
  t.deepEqual(others, []);
  t.not(second?.metadata.uid, first?.metadata.uid);
  t.like(second, { reason: 'Said', note: 'again', series: { count: 3 } });
  t.is(await outcome('failed'), 0);
});

test('an object that tells too much is cut short', async (t) => {
  const { recorder, widget, listed, outcome } = await makeRecorder(t);
  for (let i = 0; i < 40; i += 1) recorder.record('widget', widget, said(`number ${i}`));
  await recorder.flush(FLUSH_MS);
  t.is((await listed()).length, 25);
  t.is(await outcome('dropped'), 15);
});

test('Events of what has no namespace are in default', async (t) => {
  const { recorder, listed } = await makeRecorder(t);
  const uid = crypto.randomUUID();
  const cluster = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `n-${uid}`, uid } };
  recorder.record('widget', cluster, said('hello'));
  await recorder.flush(FLUSH_MS);
  t.is((await listed('default')).filter((one) => one.metadata.name.startsWith(`n-${uid}`)).length, 1);
});
