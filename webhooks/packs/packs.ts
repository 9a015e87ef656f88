// SPDX-License-Identifier: Apache-2.0
import type { Writable } from 'node:stream';
import type { KubeObject } from '#operator/core/object';
import { type Exemption, isInForce } from '#operator/core/policy/exemption';
import type { Snapshot } from '#operator/core/policy/snapshot';
import type { Resource } from '#operator/core/object';
import { clock } from '#operator/runtime/clock';
import type { MetricFactory } from '#operator/telemetry/metric';
import type { Log } from '#operator/telemetry/log';
import { type ClusterSettings, type PackCache, PackCluster, partIn } from './cluster.ts';
import { PackDecider } from './decider.ts';
import { DecisionLog } from './decision-log.ts';
import { Failures } from './failures.ts';
import { packMetrics } from './metrics.ts';
import { Inventories, type RevisionModules } from './inventories.ts';
import type { OpenKind } from './kind-watches.ts';
import { type PackHost, PackModules } from './modules.ts';
import { pairKey, Shadow } from './shadow.ts';
import { Snapshots } from './snapshots.ts';
import { StateFolder } from './state-folder.ts';

/** What judging by packs needs. */
export interface PacksOptions {
  readonly cache: PackCache;
  readonly host: PackHost;
  /** Reads a ConfigMap of the platform that a part of a module is in. */
  readonly readChunk: (name: string) => Promise<KubeObject | undefined>;
  readonly settings: ClusterSettings;
  /** Where what is decided by is kept for a restart; undefined: nowhere. */
  readonly stateFolder: string | undefined;
  readonly decisionLog: {
    readonly to: Writable | undefined;
    readonly allowedPercent: number;
    readonly labels: Readonly<Record<string, string>>;
  };
  /** Whether only who proves to be the API server is answered. */
  readonly isVouchedFor: boolean;
  readonly factory: MetricFactory;
  readonly log: Log;
  /** Called when there may be something to report. */
  readonly onChange?: () => void;
  /** Live objects that packs may look at, and how they are watched; absent: none. */
  readonly inventory?: { readonly kinds: readonly Resource[]; readonly open: OpenKind };
}

/** All parts of judging by packs. Made before the caches start, since it declares what is watched. */
export interface Packs {
  readonly decider: PackDecider;
  readonly snapshots: Snapshots;
  readonly modules: RevisionModules;
  readonly shadow: Shadow;
  readonly failures: Failures;
  /** Bytes of a module, or of data, by their digest. */
  fetch(digest: string): Promise<Uint8Array | undefined>;
  /** Begins, once the caches are filled. */
  start(): Promise<void>;
  close(): Promise<void>;
}

function exemptionsInForce(snapshot: Snapshot | undefined, now: Date): readonly Exemption[] {
  return snapshot?.exemptions.filter((one) => isInForce(one, now)) ?? [];
}

function oldestSeconds(exemptions: readonly Exemption[], now: Date): number {
  const ages = exemptions.map(({ requestedAt }) => (now.getTime() - Date.parse(requestedAt ?? '')) / 1000);
  return Math.max(0, ...ages.filter(Number.isFinite));
}

/** Nothing may be looked at, so nothing is ever opened. */
const NOTHING_LIVE = {
  kinds: [],
  open: () => {
    throw new Error('a kind was watched that packs may not look at');
  },
};

/** Wires what judges by packs. */
export function createPacks(options: PacksOptions): Packs {
  const { cache, host, settings, log, factory, onChange = () => undefined } = options;
  const counting = () => exemptionsInForce(snapshots.current?.snapshot, clock.now());
  const metrics = packMetrics(factory, {
    count: () => counting().length,
    oldestSeconds: () => oldestSeconds(counting(), clock.now()),
  });
  const state = new StateFolder(options.stateFolder, log);
  const cluster = new PackCluster(cache, settings, () => snapshots.changed());
  const plain = new PackModules({
    host,
    state,
    hasPart: (chunk) => cluster.hasPart(chunk),
    readPart: async (chunk) => partIn(await options.readChunk(chunk)),
    onChange: () => snapshots.changed(),
    log,
  });
  const modules = new Inventories({
    modules: plain,
    host,
    ...(options.inventory ?? NOTHING_LIVE),
    namespacesOf: (tenant) => cluster.namespacesOf(tenant),
    onChange: () => snapshots.changed(),
    log,
  });
  const snapshots = new Snapshots({ cluster, modules, state, metrics, log });
  const shadow = new Shadow({ metrics, onChange, isVouchedFor: options.isVouchedFor });
  const failures = new Failures(onChange);
  const decisionLog = new DecisionLog({ ...options.decisionLog, metrics });
  snapshots.onSnapshot(({ snapshot }) => {
    shadow.keep(
      new Set(snapshot.packs.filter((pack) => pack.rollout !== 'None').map((pack) => pairKey({ pack }))),
    );
    failures.keep(new Set(modules.prepared));
    onChange();
  });
  return {
    decider: new PackDecider({ snapshots, host, shadow, failures, decisionLog, metrics }),
    snapshots,
    modules,
    shadow,
    failures,
    fetch: (digest) => plain.fetch(digest),
    start: () => snapshots.start(),
    close: async () => {
      snapshots.close();
      modules.close();
      await decisionLog.close();
    },
  };
}
