// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { Cache } from '#operator/runtime/cache';
import { type Client, createClient } from '#operator/runtime/client';
import { type Credentials, credentialsFrom } from '#operator/runtime/credentials';
import { type HealthServer, startHealthServer } from '#operator/runtime/health-server';
import { REFLECTOR_TIMING } from '#operator/runtime/reflector';
import { ConfigError } from '#operator/settings';
import { createLog, type Log } from '#operator/telemetry/log';
import { createMetrics, type Metrics } from '#operator/telemetry/metrics';
import { judge, type Judges } from './admission.ts';
import { createImages } from './images/images.ts';
import { readWebhookConfig, type WebhookConfig } from './config.ts';
import { createLastKnown, type LastKnownProcess } from './last-known/process.ts';
import { type AdmissionMetrics, admissionMetrics } from './metrics.ts';
import { type DecisionContext } from './policy.ts';
import { createPackProcess, type PackProcess } from './packs/process.ts';
import type { AdmissionRequest } from './review.ts';
import { Serving } from './serving.ts';
import { VALIDATION_INDEXES, watchFacts } from './validate/facts.ts';
import { validateRequest } from './validate/index.ts';

/** What is under way when it ends may take so long. */
const GRACE_MS = 10_000;

function readConfigOrExit(): WebhookConfig {
  try {
    return readWebhookConfig(process.env, process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : String(error)}\n`);
    return process.exit(2);
  }
}

/** Ends in order at the first signal, and at once at the second. */
function stopOnSignal(parts: {
  readonly stop: () => Promise<void>;
  readonly health: HealthServer;
  readonly client: Client;
  readonly log: Log;
}): void {
  let isStopping = false;
  const end = (signal: string): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    parts.log.info({ signal }, 'stopping');
    void parts
      .stop()
      .then(() => Promise.all([parts.health.close(), parts.client.close()]))
      .then(() => parts.log.info('stopped'))
      .then(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

/** What the process works with. */
interface Parts {
  readonly config: WebhookConfig;
  readonly cache: Cache;
  readonly judges: Judges;
  readonly lastKnown: LastKnownProcess;
  readonly metrics: AdmissionMetrics;
  readonly log: Log;
}

async function servingOf(parts: Parts): Promise<Serving> {
  const { config, cache, judges, lastKnown, metrics, log } = parts;
  const { clientCaFile, deadlineMs, maxInFlight, namespace, secretName } = config;
  const clientCa = clientCaFile === undefined ? undefined : await readFile(clientCaFile, 'utf8');
  const decide = (request: AdmissionRequest, context: DecisionContext) =>
    lastKnown.state.decide(request, () => judge(judges, request, context));
  const server = { ...config.serve, clientCa, deadlineMs, maxInFlight, decide, metrics, log };
  return new Serving({ cache, namespace, secretName, server, metrics, log });
}

async function main(): Promise<void> {
  const config = readConfigOrExit();
  const log = createLog({ level: config.logLevel });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault of the program: ending');
    process.exit(1);
  });
  const { all, client, cache, packs, serving, lastKnown } = await wire(config, log);
  const watching = new AbortController();
  const ready = () => lastKnown.state.isReady && packs.decider.ready() && serving.isReady;
  const health = await startHealthServer({ ...config.listen, ready, metrics: all });
  const stop = async (): Promise<void> => {
    await serving.stop({ drainMs: config.drainMs, graceMs: GRACE_MS });
    await packs.close();
    await lastKnown.keeping.close();
    watching.abort();
  };
  stopOnSignal({ stop, health, client, log });
  log.info({ listen: `${config.listen.host}:${health.port}`, namespace: config.namespace }, 'starting');
  await lastKnown.state.begin(cache.start(watching.signal).synced);
  await packs.start();
  serving.start();
  lastKnown.keeping.start();
  const how = lastKnown.state.beganFrom === undefined ? 'synced' : 'begun from what was kept';
  log.info({ afterMs: Math.round(process.uptime() * 1000) }, how);
}

/** Everything that has to be there before the caches start. */
interface Wired {
  readonly all: Metrics;
  readonly client: Client;
  readonly cache: Cache;
  readonly packs: PackProcess;
  readonly serving: Serving;
  readonly lastKnown: LastKnownProcess;
}

async function wire(config: WebhookConfig, log: Log): Promise<Wired> {
  const all = createMetrics({ process: true });
  const metrics = admissionMetrics(all.factory);
  const credentials: Credentials = await credentialsFrom(config, process.env);
  const client = createClient({ credentials, metrics: all });
  const cache = new Cache({
    client,
    timing: REFLECTOR_TIMING,
    metrics: all,
    log,
    indexes: VALIDATION_INDEXES,
  });
  watchFacts(cache, config);
  const images = createImages({
    cache,
    platformNamespace: config.namespace,
    factory: all.factory,
    onWanted: () => packs.changed(),
  });
  const { wanted, tellerFor } = images;
  const onTakenOver = () => packs.renew();
  const lastKnown = createLastKnown({ cache, client, credentials, config, metrics, log, onTakenOver });
  const beganFrom = () => lastKnown.state.beganFrom;
  const parts = { cache, client, config, metrics: all, log, wanted, tellerFor, beganFrom };
  const packs: PackProcess = createPackProcess(parts);
  const judges: Judges = {
    validate: validateRequest(cache, config),
    decider: packs.decider,
    images: images.judge,
  };
  const serving = await servingOf({ config, cache, judges, lastKnown, metrics, log });
  return { all, client, cache, packs, serving, lastKnown };
}

await main();
