// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Config, ConfigError, LEASE_NAME, readConfig } from './config.ts';
import { controllersFor } from './controllers/index.ts';
import { createClient } from './runtime/client.ts';
import {
  type Credentials,
  fileCredentials,
  inClusterCredentials,
  kubeconfigCredentials,
} from './runtime/credentials.ts';
import { type HealthServer, startHealthServer } from './runtime/health-server.ts';
import type { LeaderElectionOptions } from './runtime/leader-election.ts';
import { createManager, type Manager } from './runtime/manager.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';

/** The settings; says what is wrong with them, and ends, before there is a log: its level is one of them. */
function readConfigOrExit(): Config {
  try {
    return readConfig(process.env, process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error);
    return process.exit(2);
  }
}

/** A pod's own credentials, unless the settings say otherwise. */
async function credentialsOf(config: Config): Promise<Credentials> {
  const { apiServer, tokenFile, caFile, kubeconfig } = config;
  if (kubeconfig !== undefined) return kubeconfigCredentials({ path: kubeconfig });
  if (apiServer === undefined || tokenFile === undefined) return inClusterCredentials(process.env);
  return fileCredentials({ server: apiServer, tokenFile, ...(caFile !== undefined && { caFile }) });
}

/** The shares of the lease that client-go's own defaults have. */
function leaderElectionOf(config: Config): LeaderElectionOptions | undefined {
  if (!config.leaderElection) return undefined;
  return {
    namespace: config.namespace,
    name: LEASE_NAME,
    leaseDurationMs: config.leaseDurationMs,
    renewDeadlineMs: config.leaseDurationMs * 0.7,
    retryPeriodMs: config.leaseDurationMs * 0.15,
  };
}

/** Ends in order at the first signal, and at once at the second. */
function stopOnSignal(parts: {
  manager: Manager;
  health: HealthServer;
  log: Log;
  close: () => Promise<void>;
}): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    parts.log.info({ signal }, 'stopping');
    void parts.manager
      .stop()
      .then(() => Promise.all([parts.health.close(), parts.close()]))
      .then(() => parts.log.info('stopped'))
      .then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function main(): Promise<void> {
  const config = readConfigOrExit();
  const log = createLog({ level: config.logLevel });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault of the program: ending');
    process.exit(1);
  });

  const metrics = createMetrics({ process: true });
  const client = createClient({ credentials: await credentialsOf(config), metrics });
  const manager = createManager({
    client,
    ...controllersFor(
      {
        platformNamespace: config.namespace,
        operatorServiceAccount: config.serviceAccount,
        reservedRanges: config.reservedRanges,
        planWeights: config.planWeights,
        ...(config.pullSecretNamespace !== undefined && { pullSecretNamespace: config.pullSecretNamespace }),
      },
      { count: (labels, units) => metrics.runUnitsTotal.inc(labels, units), maxTenants: config.namedTenants },
    ),
    identity: config.identity ?? `${hostname()}_${randomBytes(4).toString('hex')}`,
    leaderElection: leaderElectionOf(config),
    concurrency: config.concurrency,
    metrics,
    log,
  });
  const health = await startHealthServer({ ...config.listen, ready: () => manager.ready(), metrics });
  stopOnSignal({ manager, health, log, close: () => client.close() });
  log.info({ listen: `${config.listen.host}:${health.port}`, namespace: config.namespace }, 'starting');
  await manager.start();
  log.info({ afterMs: Math.round(process.uptime() * 1000) }, 'ready');
}

await main();
