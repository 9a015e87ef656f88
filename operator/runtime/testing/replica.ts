// SPDX-License-Identifier: Apache-2.0
/**
 * A process that reconciles widgets and takes part in an election, for tests that kill it. Told by one JSON
 * argument; says `ready` and `leading` on lines of its own.
 */
import type { Resource } from '../../core/object.ts';
import { createLog } from '../../telemetry/log.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { createClient } from '../client.ts';
import { certificateCredentials } from './certificate-credentials.ts';
import { createManager } from '../manager.ts';
import { widgetController } from './widgets.ts';

/** What a replica is told. */
export interface ReplicaArguments {
  readonly kubeconfigPath: string;
  readonly widgets: Resource;
  readonly namespace: string;
  readonly identity: string;
}

const told = JSON.parse(process.argv[2] ?? '{}') as ReplicaArguments;
const credentials = await certificateCredentials(told.kubeconfigPath);
const client = createClient({ credentials });
const manager = createManager({
  client,
  controllers: [widgetController(told)],
  identity: told.identity,
  namespace: told.namespace,
  leaderElection: { namespace: told.namespace, name: 'replicas' },
  onLead: (isLeading) => process.stdout.write(isLeading ? 'leading\n' : 'standing by\n'),
  metrics: createMetrics(),
  log: createLog({ level: 'silent' }),
});
await manager.start();
process.stdout.write('ready\n');
process.once('SIGTERM', () => {
  void manager.stop().then(() => process.exit(0));
});
