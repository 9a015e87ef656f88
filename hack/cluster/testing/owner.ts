// SPDX-License-Identifier: Apache-2.0
// A program for tests: owns a cluster until it is killed, and prints its description as one line of JSON.
import { startCluster } from '../cluster.ts';

const cluster = await startCluster();
console.log(JSON.stringify(cluster.description));
// Nothing of a cluster keeps its owner alive.
setInterval(() => undefined, 60_000);
