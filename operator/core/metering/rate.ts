// SPDX-License-Identifier: Apache-2.0
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import type { Price } from '#crds/v1alpha1/price';
import type { Rate } from '#crds/v1alpha1/run-usage';
import type { GPUClass } from '../agent/agent.ts';
import { defined } from '../object.ts';
import type { ContainerResources } from '../quota/demand.ts';
import { MILLI, parseQuantity } from '../quota/quantity.ts';
import { FORMULA } from './amounts.ts';

/** What a second of each tier costs, in percent. */
export const TIER_PERCENT = { standard: 100, heavy: 150, ultra: 300 } as const satisfies Record<
  AgentSpec['tier'],
  number
>;

/** How long a container has to end that is told to, unless its Agent says. */
export const GRACE_SECONDS = 30;
/** Slices that most cards can be cut into. */
const SLICES = 7;
const MIG_PROFILE = /\/mig-(?:(\d+)c\.)?(\d+)g\./;

/** What an attempt reserves, and for how long at most. */
export interface Allocation {
  readonly agent: Pick<AgentSpec, 'tier' | 'limits'>;
  /** Of the container of a pod, after defaults. */
  readonly resources: ContainerResources;
  readonly gpu?: { readonly class: GPUClass; readonly count: number };
  readonly timeoutSeconds: number;
  /** Pods that each reserve it; one when left out. */
  readonly pods?: number;
  /** What the tenant pays, where the platform says so. */
  readonly price?: Price;
}

/** What an attempt is charged by, as things are when it is admitted. */
export function rateOf({ agent, resources, gpu, timeoutSeconds, pods = 1, price }: Allocation): Rate {
  const { requests } = resources;
  const { terminationGracePeriodSeconds = GRACE_SECONDS } = agent.limits;
  return {
    formula: FORMULA,
    tier: agent.tier,
    tierPercent: TIER_PERCENT[agent.tier],
    cpuMillicores: bounded(parseQuantity(requests['cpu'] ?? 0) ?? 0n),
    memoryBytes: bounded((parseQuantity(requests['memory'] ?? 0) ?? 0n) / MILLI),
    ...(gpu !== undefined && gpu.count > 0 && { gpu: devices(gpu) }),
    ...defined({ pods: pods > 1 ? pods : undefined, price }),
    maxSeconds: timeoutSeconds + terminationGracePeriodSeconds,
  };
}

/**
 * The part of a card that one device of a class is: what the class says, else for a MIG profile its compute slices of
 * seven (`mig-3g.20gb` is 3/7, `mig-1c.3g.20gb` 1/7), else a whole card.
 */
export function shareOf({ share, resourceName = '', sharing }: GPUClassSpec): {
  readonly parts: number;
  readonly of: number;
} {
  if (share !== undefined) return share;
  const [, instances, slices = '0'] = MIG_PROFILE.exec(resourceName) ?? [];
  const parts = Number(instances ?? slices);
  return sharing !== 'Shared' && parts >= 1 && parts <= SLICES ? { parts, of: SLICES } : { parts: 1, of: 1 };
}

function devices({ class: { metadata, spec }, count }: NonNullable<Allocation['gpu']>): Rate['gpu'] {
  return { class: metadata.name, count, ...shareOf(spec), multiplierPercent: spec.multiplierPercent };
}

/** As a number of the API, which holds integers up to 2^53 exactly. */
function bounded(value: bigint): number {
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}
