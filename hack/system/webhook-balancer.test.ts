// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { type Backend, WebhookBalancer } from './webhook-balancer.ts';

/** What is said to who connects to a port; undefined where that is reset. */
function saidAt(port: number): Promise<string | undefined> {
  return text(connect(port, '127.0.0.1')).catch(() => undefined);
}

/** A process as the balancer sees it, which says its name to whoever connects, and so that it is ready. */
async function startProcess(t: ExecutionContext, name: string): Promise<Backend> {
  const server = createServer((socket) => void socket.on('error', () => undefined).end(name));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { port, isReady: async () => (await saidAt(port)) === name };
}

async function balancerOf(t: ExecutionContext, backends: readonly Backend[]): Promise<WebhookBalancer> {
  const balancer = await WebhookBalancer.listen();
  t.teardown(() => balancer.close());
  for (const one of backends) balancer.add(one);
  await balancer.settled();
  return balancer;
}

/** Who answers connections, one after the other. */
async function answers({ port }: WebhookBalancer, times: number): Promise<readonly (string | undefined)[]> {
  const said: (string | undefined)[] = [];
  while (said.length < times) said.push(await saidAt(port));
  return said;
}

test('connections go to all that are ready, in turn', async (t) => {
  const balancer = await balancerOf(t, [await startProcess(t, 'a'), await startProcess(t, 'b')]);
  const said = await answers(balancer, 6);
  const timesOf = (name: string) => said.filter((one) => one === name).length;
  t.deepEqual(['a', 'b'].map(timesOf), [3, 3]);
});

const NOT_READY: Readonly<Record<string, Backend['isReady']>> = {
  'says that it is not ready': () => Promise.resolve(false),
  'does not say that it is ready in time': () => new Promise(() => undefined),
};

for (const [how, isReady] of Object.entries(NOT_READY)) {
  test(`who ${how}, twice, gets no connection`, async (t) => {
    const one = await startProcess(t, 'a');
    const is = { isReady: one.isReady };
    const balancer = await balancerOf(t, [
      { ...one, isReady: () => is.isReady() },
      await startProcess(t, 'b'),
    ]);
    is.isReady = isReady;
    for (const _ of [1, 2]) await balancer.settled();
    t.deepEqual(await answers(balancer, 3), ['b', 'b', 'b']);
  });
}

test('nobody is late for what holds up this process', async (t) => {
  const balancer = await balancerOf(t, [await startProcess(t, 'a')]);
  for (let times = 0; times < 5; times += 1) {
    await nextTurn();
    // For longer than a probe may take.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
  }
  t.deepEqual(await answers(balancer, 3), ['a', 'a', 'a']);
});
