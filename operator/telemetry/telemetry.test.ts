// SPDX-License-Identifier: Apache-2.0
import { Writable } from 'node:stream';
import test from 'ava';
import { createLog } from './log.ts';
import { ANY, MetricFactory, WRITTEN_IN_A_TURN } from './metric.ts';
import { createMetrics } from './metrics.ts';

test('known label values start at 0, open ones do not appear before they are used', async (t) => {
  const factory = new MetricFactory();
  factory.counter({ name: 'a_total', help: 'A.', labels: { result: ['good', 'bad'] } });
  const open = factory.counter({ name: 'b_total', help: 'B.', labels: { controller: ANY } });
  const text = await factory.registry.metrics();
  t.true(text.includes('a_total{result="good"} 0'));
  t.true(text.includes('a_total{result="bad"} 0'));
  t.false(text.includes('b_total{'));
  open.inc({ controller: 'x' }, 3);
  t.true((await factory.registry.metrics()).includes('b_total{controller="x"} 3'));
});

test('every metric has the name and the help that Prometheus asks for', (t) => {
  const { declared } = createMetrics();
  t.is(new Set(declared.map((one) => one.name)).size, declared.length);
  for (const { name, help } of declared) {
    t.regex(name, /^(nexusos|controller_runtime|workqueue)_[a-z_]+$/);
    t.regex(help, /^[A-Z0-9].*\.$/);
  }
});

test('two sets of metrics do not meet', async (t) => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.leader.set({}, 1);
  t.regex(await one.text(), /^nexusos_leader 1$/m);
  t.regex(await other.text(), /^nexusos_leader 0$/m);
});

test('a log is JSON lines, without credentials', (t) => {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString('utf8'));
      done();
    },
  });
  const log = createLog({ level: 'info', destination });
  log.debug('not told');
  log.info({ tenant: 'acme', token: 'secret', request: { authorization: 'secret' } }, 'told');
  t.is(lines.length, 1);
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  t.like(line, { level: 'info', msg: 'told', tenant: 'acme' });
  t.regex(String(line['time']), /^\d{4}-\d\d-\d\dT/);
  t.false(lines[0]?.includes('secret'));
});

test('metrics are told as the registry would tell them, a few in each turn of the loop', async (t) => {
  const { factory, text } = createMetrics();
  const { registry } = factory;
  const turns: number[] = [0];
  const turn = (): void => {
    turns.push(0);
    if (turns.length < 1000) waiting = setImmediate(turn);
  };
  let waiting = setImmediate(turn);
  const tell = registry.getSingleMetricAsString.bind(registry);
  registry.getSingleMetricAsString = (name) => {
    turns[turns.length - 1] = (turns.at(-1) ?? 0) + 1;
    return tell(name);
  };
  const told = await text();
  clearImmediate(waiting);
  t.is(told, await registry.metrics());
  t.is(
    turns.reduce((sum, one) => sum + one, 0),
    registry.getMetricsAsArray().length,
  );
  t.true(Math.max(...turns) <= WRITTEN_IN_A_TURN, turns.join());
});
