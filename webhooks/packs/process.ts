// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { ReplicaComparison } from '#crds/v1alpha1/policy-rollout';
import { CONFIG_MAPS } from '#operator/core/resources';
import { replicaName } from '#operator/core/policy/replica-name';
import type { ImageTeller } from '#operator/core/policy/image-input';
import { PolicyHost } from '#operator/policy/host';
import { memoryShares } from '#operator/policy/memory-shares';
import type { Cache } from '#operator/runtime/cache';
import type { Client } from '#operator/runtime/client';
import { REFLECTOR_TIMING } from '#operator/runtime/reflector';
import type { Log } from '#operator/telemetry/log';
import type { Metrics } from '#operator/telemetry/metrics';
import { PROGRAM_VERSION } from '#operator/version';
import type { WebhookConfig } from '../config.ts';
import type { WantedImage } from '../images/wanted-images.ts';
import type { PolicyDecider } from '../policy.ts';
import { openDecisionLog } from './decision-log.ts';
import { kindWatches } from './kind-watches.ts';
import { createPacks, type Packs } from './packs.ts';
import { ReplicaReport } from './replica-report.ts';
import { replicaStatus } from './replica-status.ts';

/** What judging by packs needs of the process. */
export interface PackProcessOptions {
  readonly cache: Cache;
  readonly client: Client;
  readonly config: WebhookConfig;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Images that were asked for and are not known: told with what packs are decided by. */
  readonly wanted: () => readonly WantedImage[];
  /** What says what is known of the images of a namespace. */
  readonly tellerFor: (namespace: string) => ImageTeller;
  /** Of which time that is that this replica began from, where that is not what the API server told. */
  readonly beganFrom: () => string | undefined;
}

/** Judging by packs, as part of the process. */
export interface PackProcess {
  readonly decider: PolicyDecider;
  /** Begins, once the caches are filled. */
  start(): Promise<void>;
  /** There may be something new to tell. */
  changed(): void;
  /** Everything may be another: from now on nothing is judged by what was known before. */
  renew(): void;
  /** Ends. Nothing may be asked any more. */
  close(): Promise<void>;
}

function inventoryOf({
  client,
  config,
  metrics,
  log,
}: Omit<PackProcessOptions, 'cache' | 'wanted' | 'tellerFor' | 'beganFrom'>) {
  const open = kindWatches({ client, timing: REFLECTOR_TIMING, metrics, log });
  return { kinds: config.policyInventory, open };
}

/** Declares what is watched, and wires the host, what judges and what tells of it. */
export function createPackProcess(options: PackProcessOptions): PackProcess {
  const { cache, client, config, metrics, log, wanted, tellerFor, beganFrom } = options;
  const { platformWorkers, tenantWorkers, namespace, identity } = config;
  const shared = { workers: platformWorkers + tenantWorkers, spareWorkers: SPARE_WORKERS };
  const limits = memoryShares({ ...shared, limitBytes: limitOf(config) });
  log.info({ ...limits }, 'memory that packs may take');
  const host = new PolicyHost({
    platformWorkers,
    tenantWorkers,
    spareWorkers: SPARE_WORKERS,
    limits,
    metrics,
    fetch: (digest) => packs.fetch(digest),
    onQuarantine: () => packs.snapshots.changed(),
  });
  const name = replicaName(identity ?? `${hostname().slice(0, 40)}-${randomBytes(4).toString('hex')}`);
  const packs = createPacks({
    cache,
    host,
    readChunk: (chunk) => client.get(CONFIG_MAPS, { namespace, name: chunk }),
    settings: { platformNamespace: namespace, images: tellerFor },
    inventory: inventoryOf({ client, config, metrics, log }),
    stateFolder: config.stateFolder,
    decisionLog: {
      to: openDecisionLog(config.decisionLog, log),
      allowedPercent: config.decisionLogAllowedPercent,
      labels: { app: 'nexusos-webhooks', id: name },
    },
    isVouchedFor: config.clientCaFile !== undefined,
    factory: metrics.factory,
    log,
    onChange: () => report.changed(),
  });
  const report = new ReplicaReport({
    client,
    namespace,
    name,
    podUid: config.podUid,
    version: PROGRAM_VERSION,
    beganFrom,
    log,
    status: () => statusOf(packs, wanted()),
  });
  return {
    decider: packs.decider,
    changed: () => report.changed(),
    renew: () => packs.snapshots.renew(),
    start: async () => {
      await host.ready();
      await packs.start();
      report.start();
    },
    close: async () => {
      await report.close();
      await packs.close();
      await host.close();
    },
  };
}

const SPARE_WORKERS = 1;
/** Where nobody limits a process, a number comes that no machine has. */
const NO_LIMIT_BYTES = 2 ** 50;

/** What is set, or else what the container may have. */
function limitOf({ memoryLimitMib }: WebhookConfig): number | undefined {
  if (memoryLimitMib !== undefined) return memoryLimitMib * 1024 * 1024;
  const bytes = process.constrainedMemory();
  return bytes > 0 && bytes < NO_LIMIT_BYTES ? bytes : undefined;
}

/** What this replica reports; undefined before it judges by anything. */
function statusOf(
  { snapshots, modules, shadow, failures }: Packs,
  images: ReturnType<PackProcessOptions['wanted']>,
): ReturnType<typeof replicaStatus> | undefined {
  if (snapshots.current === undefined) return undefined;
  return replicaStatus({
    snapshot: snapshots.current.snapshot,
    prepared: modules.prepared,
    refused: modules.faults,
    quarantined: modules.quarantined,
    violations: failures.counts(),
    comparisons: shadow.comparisons() as readonly ReplicaComparison[],
    images,
  });
}
