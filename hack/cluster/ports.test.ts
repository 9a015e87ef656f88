// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:net';
import test from 'ava';
import { findFreePorts } from './ports.ts';

test('ports differ, can be listened on, and are below those of outgoing connections', async (t) => {
  const ports = await findFreePorts(20);
  t.is(new Set(ports).size, 20);
  t.true(ports.every((port) => port >= 20_000 && port < 32_000));
  const servers = await Promise.all(
    ports.map(
      (port) =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen({ port, host: '127.0.0.1' }, () => resolve(server));
        }),
    ),
  );
  for (const server of servers) {
    server.close();
  }
});
