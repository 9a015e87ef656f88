// SPDX-License-Identifier: Apache-2.0
// A program for tests: owns a cluster until it is killed.
import { startCluster } from '../cluster.ts';
import { ownedDataDirVariable } from './owned.ts';

const dataDir = process.env[ownedDataDirVariable];
await startCluster(dataDir === undefined ? {} : { dataDir });
// Nothing of a cluster keeps its owner alive.
setInterval(() => undefined, 60_000);
