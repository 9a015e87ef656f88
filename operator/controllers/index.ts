// SPDX-License-Identifier: Apache-2.0
import type { ImageWorks } from '../core/images/works.ts';
import type { Resource } from '../core/object.ts';
import type { PackAllowance } from '../core/policy-pack/allowance.ts';
import type { PackVerifier } from '../core/policy-pack/verification.ts';
import type { BlastReports, Scans } from '../core/scan/world.ts';
import type { PlatformSettings } from '../core/tenant/tenant.ts';
import type { CatchUp } from '../runtime/catch-up.ts';
import type { AnyController, IndexDeclaration, Key } from '../runtime/controller.ts';
import { agentController } from './agent.ts';
import { gpuClassController } from './gpu-class.ts';
import { imageInventoryController } from './image-inventory.ts';
import { clusterImagePolicyController, imagePolicyController, trustRootController } from './image-policy.ts';
import { imageVerdictController } from './image-verdict.ts';
import { imageWaiverController } from './image-waiver.ts';
import { ledgerController } from './ledger.ts';
import { policyFloorController } from './policy-floor.ts';
import { POLICY_PACK_INDEXES, policyPackController } from './policy-pack.ts';
import { policyReplicaController } from './policy-replica.ts';
import { policyReportController, policyScanController } from './policy-scan.ts';
import { podController } from './pod.ts';
import { runController } from './run.ts';
import { type Records, RUN_HISTORY_INDEX, runHistoryController } from './run-history.ts';
import { SERVICE_INDEX } from './shared/agent-service.ts';
import { DEVICE_INDEX, DeviceBook } from './shared/device-book.ts';
import { ImagePolicies } from './shared/image-policies.ts';
import { ProvenImages } from './shared/proven-images.ts';
import { givesDevices, PARTITION } from './shared/partition.ts';
import { QUOTA_LEDGERS, TENANTS } from '../core/resources.ts';
import { RunUnitsMeter, type RunUnitsMeterOptions } from './shared/run-units-meter.ts';
import { REVISION_INDEX } from './shared/revisions.ts';
import { TenantQueues } from './shared/tenant-queue.ts';
import { queueIndexes } from './shared/tenant-queues.ts';
import { WORKLOAD_INDEXES } from './shared/workloads.ts';
import { TENANT_INDEXES, tenantController } from './tenant.ts';
import { verdictKeysController } from './verdict-keys.ts';
import { webhookCertificatesController } from './webhook-certificates.ts';
import type { CertificateSettings } from '../core/certificates/plan.ts';

/** How the work of all controllers is dealt out among operators. */
export const SHARDING = { partition: PARTITION, counted: TENANTS } as const;

/** What the manager runs. */
export interface ControllerSet {
  readonly controllers: readonly AnyController[];
  readonly indexes: readonly IndexDeclaration[];
  /** To be told when this process begins to write, and when it ceases to. */
  readonly onLead: (isLeading: boolean) => void;
  /** What who leads anew must know as it is: devices are given away by all ledgers. */
  readonly catchUp: readonly CatchUp[];
  /** With shards: to be told of which objects it begins to. */
  readonly onGain: (isGained: (resource: Resource, key: Key) => boolean) => void;
}

/** What works beside the loop. */
export interface Beside {
  /** Where finished Runs go. */
  readonly records?: Records | undefined;
  /** What verifies PolicyPacks. */
  readonly verifier?: PackVerifier;
  /** What judges what exists by PolicyPacks; without, nobody does. */
  readonly scans?: PolicyScanning | undefined;
  /** What verifies images. */
  readonly images?: ImageWorks;
}

/** What judges what exists. */
export interface PolicyScanning {
  readonly reports: BlastReports;
  readonly scanner: Scans;
  /** Whether the cluster has the kinds of OpenReports. */
  readonly hasReports: boolean;
}

/** For who only wants to know what controllers there are. */
const NO_VERIFIER: PackVerifier = { ask: () => ({ kind: 'pending' }), onDone: () => undefined };

/** The same for images. */
const NO_IMAGES: ImageWorks = {
  verifier: { ask: () => ({ kind: 'pending' }), forget: () => undefined, onDone: () => undefined },
  readRoot: () => ({ field: '', found: 'nobody who reads it', wanted: '' }),
  problemsOf: () => [],
  newKey: () => '',
  publicKeyOf: () => undefined,
  seal: () => '',
  open: () => undefined,
};

/** What the platform chooses. */
export interface ControllerSettings extends PlatformSettings {
  /** Where the operator makes the certificate of the admission process; else somebody else does, or there is none. */
  readonly webhookCertificates?: CertificateSettings | undefined;
  /** What the packs of a tenant may come to. */
  readonly packAllowance?: PackAllowance | undefined;
  /** Kinds whose live objects packs may look at. */
  readonly inventoryKinds?: readonly Resource[] | undefined;
}

/** As the settings have it where they say nothing else. */
const PACK_ALLOWANCE: PackAllowance = { packs: 32, mebibytes: 64 };

/** Every controller of the operator. `metering`: where run units are counted, if anywhere. */
export function controllersFor(
  settings: ControllerSettings,
  metering: RunUnitsMeterOptions = { count: () => undefined, maxTenants: 0 },
  { records, verifier = NO_VERIFIER, scans, images = NO_IMAGES }: Beside = {},
): ControllerSet {
  const { kueue, webhookCertificates } = settings;
  const book = new DeviceBook(settings.planWeights, kueue);
  const queues = new TenantQueues(book);
  const meter = new RunUnitsMeter(metering);
  // One for all: what a Secret says is remembered for a while, and who compares digests has to have read the same.
  const policies = new ImagePolicies(settings.platformNamespace);
  const proven = new ProvenImages({ platformNamespace: settings.platformNamespace, works: images, policies });
  return {
    controllers: [
      tenantController(settings),
      ledgerController(book, [meter], queues),
      agentController(settings, proven),
      runController(book, settings, queues),
      podController(),
      runHistoryController(records),
      gpuClassController(book, kueue),
      ...policyControllers(settings, { verifier, scans, images: proven }),
      ...imageControllers(settings, images, policies),
      ...(webhookCertificates === undefined ? [] : [webhookCertificatesController(webhookCertificates)]),
    ],
    indexes: [
      ...TENANT_INDEXES,
      ...queueIndexes(kueue),
      ...WORKLOAD_INDEXES,
      REVISION_INDEX,
      RUN_HISTORY_INDEX,
      SERVICE_INDEX,
      DEVICE_INDEX,
      ...POLICY_PACK_INDEXES,
      ...book.gate.indexes,
    ],
    catchUp: [{ resource: QUOTA_LEDGERS, isClaimed: givesDevices }],
    onLead: () => meter.startAnew(),
    onGain: (isGained) => meter.startAnew((name) => isGained(QUOTA_LEDGERS, { name })),
  };
}

/** Those of PolicyPacks. */
function policyControllers(
  { platformNamespace, operatorUser = '', packAllowance, inventoryKinds = [] }: ControllerSettings,
  {
    verifier,
    scans,
    images,
  }: {
    readonly verifier: PackVerifier;
    readonly scans: PolicyScanning | undefined;
    readonly images: ProvenImages;
  },
): readonly AnyController[] {
  const allowance = packAllowance ?? PACK_ALLOWANCE;
  const reports = scans?.reports;
  return [
    policyFloorController({ platformNamespace, operatorUser }),
    policyPackController({ platformNamespace, verifier, allowance, reports, inventoryKinds, images }),
    policyReplicaController({ platformNamespace }),
    ...(scans === undefined ? [] : [policyScanController({ platformNamespace, ...scans, images })]),
    ...(scans?.hasReports === true ? [policyReportController()] : []),
  ];
}

/** Those of images. */
function imageControllers(
  { platformNamespace }: ControllerSettings,
  works: ImageWorks,
  policies: ImagePolicies,
): readonly AnyController[] {
  const options = { platformNamespace, works, policies };
  return [
    trustRootController(options),
    clusterImagePolicyController(options),
    imagePolicyController(options),
    verdictKeysController(options),
    imageInventoryController(options),
    imageVerdictController(options),
    imageWaiverController({ platformNamespace }),
  ];
}
