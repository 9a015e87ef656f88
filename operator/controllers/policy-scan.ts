// SPDX-License-Identifier: Apache-2.0
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { KubeObject } from '../core/object.ts';
import { removalOf, statusOnly } from '../core/plan.ts';
import type { PolicyPack } from '../core/policy-pack/pack.ts';
import { packOfReport, planScan, type ScanObserved } from '../core/scan/plan.ts';
import { REPORTS } from '../core/scan/report.ts';
import { groupOf, SCANNABLE } from '../core/scan/scannable.ts';
import type { Scans } from '../core/scan/world.ts';
import {
  type Controller,
  type Key,
  keyOf,
  parseKey,
  type PolicyRule,
  type Reader,
  type Watch,
} from '../runtime/controller.ts';
import { exemptionWatch, scanWorld, seesImages, WORLD_WATCHES } from './shared/policy-world.ts';
import type { ProvenImages } from './shared/proven-images.ts';
import { POLICY_PACK_REVISIONS, POLICY_PACKS } from '../core/resources.ts';

/** What the controllers work with. */
export interface PolicyScanOptions {
  readonly platformNamespace: string;
  readonly scanner: Scans;
  /** Whether the cluster has the kinds of OpenReports. */
  readonly hasReports: boolean;
  /** What rules are told of images. */
  readonly images: ProvenImages;
}

/** What becomes known of images is looked at with more of the like. */
const IMAGES_MS = 5000;

/** Reports that are ours. */
const OURS: Pick<Watch, 'labelSelector' | 'trim'> = {
  labelSelector: `${LABELS.managedBy}=${MANAGED_BY},${LABELS.pack}`,
  trim: withoutResults,
};

/** The controller that keeps what active packs say of what exists, in Reports where the cluster has these. */
export function policyScanController(
  options: PolicyScanOptions,
): Controller<PolicyPack, ScanObserved, PolicyPackStatus | undefined> {
  const { platformNamespace, scanner, hasReports, images } = options;
  return {
    name: 'policy-scan',
    resource: POLICY_PACKS,
    watches: [
      ...WORLD_WATCHES,
      { resource: POLICY_PACK_REVISIONS, keys: () => [] },
      exemptionWatch(platformNamespace, packOfExemption),
      ...images.watches({ ofVerdict: packsTold, ofPolicy: packsTold }, IMAGES_MS),
      ...(hasReports ? [{ resource: REPORTS, ...OURS, keys: keysOfReport }] : []),
    ],
    rbac: RBAC,
    tells: () => false,
    wakesItself: (wake) => scanner.onDone((pack) => wake(parseKey(pack))),
    observe: (pack, read) => observe(pack, read, options),
    plan: (pack, observed) => planScan(pack.status, observed),
  };
}

/** The controller that removes Reports whose pack is not there any more. */
export function policyReportController(): Controller<KubeObject, boolean, undefined> {
  return {
    name: 'policy-report',
    resource: REPORTS,
    selects: OURS,
    watches: [{ resource: POLICY_PACKS, keys: reportsOfPack }],
    rbac: [{ apiGroups: [groupOf(REPORTS)], resources: [REPORTS.plural], verbs: ['delete'] }],
    observe: (report, read) => {
      const pack = packOfReport(report);
      return pack === undefined || read.get(POLICY_PACKS, parseKey(pack)) !== undefined;
    },
    plan: (report, isWanted) => ({
      ...statusOnly(undefined),
      remove: isWanted ? [] : [removalOf(report)],
    }),
  };
}

const RBAC: readonly PolicyRule[] = [
  ...SCANNABLE.map((one) => ({ apiGroups: [groupOf(one)], resources: [one.plural], verbs: ['list'] })),
  { apiGroups: [groupOf(REPORTS)], resources: [REPORTS.plural], verbs: ['create', 'delete', 'patch'] },
];

function observe(pack: PolicyPack, read: Reader, options: PolicyScanOptions): ScanObserved {
  const { platformNamespace, scanner, hasReports, images } = options;
  const { namespace = '', name } = pack.metadata;
  const active = pack.status?.activeRevision ?? '';
  const revision = active === '' ? undefined : read.get(POLICY_PACK_REVISIONS, { namespace, name: active });
  const written = hasReports ? reportsOf(pack, read) : undefined;
  if (revision === undefined) {
    scanner.forget(`${namespace}/${name}`);
    return { reports: active === '' ? [] : undefined, complete: true, written, againMs: undefined };
  }
  const world = scanWorld(read, platformNamespace, imagesFor(revision, images));
  const scan = scanner.ask({ pack, revision, world });
  const { reports, complete = false } = scan ?? {};
  return { reports, complete, written, againMs: scanner.intervalMs };
}

function imagesFor(revision: KubeObject, images: ProvenImages): ProvenImages | undefined {
  return seesImages(revision) ? images : undefined;
}

/** Packs whose rules are told of images. */
const packsTold: Watch['keys'] = (_, read) => read.list(POLICY_PACKS).filter(seesImages).map(keyOf);

function reportsOf(pack: KubeObject, read: Reader): readonly KubeObject[] {
  const { namespace = '', name } = pack.metadata;
  return read.list(REPORTS).filter((one) => packOfReport(one) === `${namespace}/${name}`);
}

function reportsOfPack(pack: KubeObject, read: Reader): readonly Key[] {
  return read.get(POLICY_PACKS, keyOf(pack)) === undefined ? reportsOf(pack, read).map(keyOf) : [];
}

function packOfExemption(exemption: KubeObject): readonly Key[] {
  const { packRef } = exemption['spec'] as { readonly packRef?: { namespace?: string; name?: string } };
  const { namespace, name } = packRef ?? {};
  return namespace === undefined || name === undefined ? [] : [{ namespace, name }];
}

function keysOfReport(report: KubeObject): readonly Key[] {
  const pack = packOfReport(report);
  return pack === undefined ? [] : [parseKey(pack)];
}

/** What they say is compared by a request when it is written; a store of it would be as large as all there is to say. */
function withoutResults({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata };
}
