// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { createMetrics } from '../telemetry/metrics.ts';
import { startHealthServer } from './health-server.ts';

test('probes and metrics are answered', async (t) => {
  let isReady = false;
  const metrics = createMetrics();
  const server = await startHealthServer({ host: '127.0.0.1', port: 0, ready: () => isReady, metrics });
  t.teardown(() => server.close());
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  const statusOf = async (path: string, method?: string) => (await get(path, method)).status;

  t.is(await statusOf('/healthz'), 200);
  t.is(await statusOf('/livez?verbose'), 200);
  t.is(await statusOf('/readyz'), 503);
  isReady = true;
  t.is(await statusOf('/readyz'), 200);
  t.is(await statusOf('/elsewhere'), 404);
  t.is(await statusOf('/healthz', 'POST'), 405);
  const text = await (await get('/metrics')).text();
  t.regex(text, /^nexusos_events_total\{outcome="written"\} 0$/m);
});

test('a port that is taken is an error', async (t) => {
  const options = { host: '127.0.0.1', ready: () => true, metrics: createMetrics() };
  const server = await startHealthServer({ ...options, port: 0 });
  t.teardown(() => server.close());
  await t.throwsAsync(startHealthServer({ ...options, port: server.port }), { code: 'EADDRINUSE' });
});
