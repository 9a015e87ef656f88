// SPDX-License-Identifier: Apache-2.0
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the ports that Linux (from 32768) and macOS (from 49152) give to outgoing connections: a port of
// ours must not be taken by a client while its component restarts.
const firstPort = 20_000;
const lastPort = 32_000;
const maxTries = 200;

/** `count` different ports that were free on 127.0.0.1 a moment ago. Throws when hardly any are. */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries += 1) {
    if (tries === maxTries) {
      throw new Error(`no ${count} free ports between ${firstPort} and ${lastPort} on 127.0.0.1`);
    }
    const port = randomInt(firstPort, lastPort);
    if (await isFree(port)) {
      found.add(port);
    }
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}
