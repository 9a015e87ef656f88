// SPDX-License-Identifier: Apache-2.0
import { controllersFor, SHARDING } from './controllers/index.ts';
import type { RunUnitsMeterOptions } from './controllers/shared/run-units-meter.ts';
import type { Config } from './config.ts';
import type { CertificateSettings } from './core/certificates/plan.ts';
import { findKueue, restartWithKueue } from './kueue.ts';
import { Archive } from './runtime/archive.ts';
import { createArchiveClient } from './runtime/archive-client.ts';
import { RegistryClient } from './oci/client.ts';
import { imageWorks, type RunningWorks, type WorksOptions } from './image-verification/works.ts';
import { type PackSources, type PackVerification, packVerification } from './pack-verifier.ts';
import { type PolicyScans, policyScans } from './policy-scans.ts';
import { type Client, createClient } from './runtime/client.ts';
import { type HealthServer, startHealthServer } from './runtime/health-server.ts';
import { createManager, type Manager } from './runtime/manager.ts';
import { credentialsOf, identityOf, leaderElectionOf, operatorUserOf, readConfigOrExit } from './setup.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';

/** Ends in order at the first signal, and at once at the second; also in order when what is returned is called. */
function stopOnSignal(parts: {
  manager: Manager;
  health: HealthServer;
  log: Log;
  close: () => Promise<void>;
}): () => void {
  let isStopping = false;
  const stop = (signal: string): void => {
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
  return () => {
    if (!isStopping) stop('none');
  };
}

/** How the certificate of the admission process is made; undefined where that is not for the operator to do. */
function certificatesOf(config: Config): CertificateSettings | undefined {
  if (config.webhookCertificates === 'Off') return undefined;
  const { namespace, webhookCertificateSecret: secretName, webhookCertificateSeconds: validSeconds } = config;
  return { namespace, secretName, validSeconds };
}

/** Where finished Runs go on record; undefined where the platform has no such place. */
function archiveOf(
  { archiveUrl: url, archiveFolder: folder }: Config,
  telemetry: { readonly metrics: Metrics; readonly log: Log },
): Archive | undefined {
  return url === undefined
    ? undefined
    : new Archive({ ...telemetry, client: createArchiveClient({ url, folder }) });
}

/** How registries are asked, by all who ask them. */
function registryOf({ registries }: Config, metrics: Metrics): RegistryClient {
  return new RegistryClient({
    registries,
    observe: (outcome, seconds) => {
      metrics.registryRequestsTotal.inc({ outcome });
      metrics.registryRequestSeconds.observe({}, seconds);
    },
  });
}

/** What verifies packs, and images. */
function verificationOf(config: Config, sources: PackSources & WorksOptions) {
  return { packs: packVerification(config, sources), images: imageWorks(sources) };
}

/** Where is told what tenants use. */
function usageMeterOf({ namedTenants }: Config, metrics: Metrics): RunUnitsMeterOptions {
  return {
    count: (labels, units) => metrics.runUnitsTotal.inc(labels, units),
    countCost: (labels, micros) => metrics.costMicroTotal.inc(labels, micros),
    countChildren: (labels, runs) => metrics.runChildrenTotal.inc(labels, runs),
    maxTenants: namedTenants,
  };
}

async function close(
  client: Client,
  beside: {
    readonly archive: Archive | undefined;
    readonly images: RunningWorks;
    readonly packs: PackVerification;
    readonly registry: RegistryClient;
    readonly scans: PolicyScans;
  },
): Promise<void> {
  const { archive, images, packs, registry, scans } = beside;
  await Promise.all([archive?.stop(), images.close(), packs.close(), registry.close(), scans.close()]);
  await client.close();
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
  const search = { client, config, log };
  const kueue = await findKueue(search);
  const archive = archiveOf(config, { metrics, log });
  const registry = registryOf(config, metrics);
  const { packs, images } = verificationOf(config, { client, registry, metrics, log });
  const scans = await policyScans(config, { client, metrics, log });
  const manager = createManager({
    client,
    archive,
    ...controllersFor(
      {
        kueue,
        platformNamespace: config.namespace,
        operatorServiceAccount: config.serviceAccount,
        operatorUser: operatorUserOf(config),
        reservedRanges: config.reservedRanges,
        planWeights: config.planWeights,
        prices: config.prices,
        remoteImage: config.remoteImage,
        webhookCertificates: certificatesOf(config),
        packAllowance: { packs: config.policyPacksPerTenant, mebibytes: config.policyMebibytesPerTenant },
        inventoryKinds: config.policyInventory,
        ...(config.pullSecretNamespace !== undefined && { pullSecretNamespace: config.pullSecretNamespace }),
      },
      usageMeterOf(config, metrics),
      { records: archive, verifier: packs.verifier, scans, images },
    ),
    identity: identityOf(config),
    leaderElection: leaderElectionOf(config),
    sharding: config.shards > 0 ? { count: config.shards, ...SHARDING } : undefined,
    concurrency: config.concurrency,
    metrics,
    log,
  });
  const health = await startHealthServer({ ...config.listen, ready: () => manager.ready(), metrics });
  const stop = stopOnSignal({
    manager,
    health,
    log,
    close: () => close(client, { archive, images, packs, registry, scans }),
  });
  restartWithKueue(search, kueue, () => stop());
  scans.restartWithReports(() => stop());
  log.info({ listen: `${config.listen.host}:${health.port}`, namespace: config.namespace }, 'starting');
  await manager.start();
  log.info({ afterMs: Math.round(process.uptime() * 1000), processorMs: processorMs() }, 'ready');
}

/** What this process has taken of processors, in milliseconds: unlike the time since its start, it does not depend on who else wants them. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
}

await main();
