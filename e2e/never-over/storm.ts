// SPDX-License-Identifier: Apache-2.0
import { agent, run } from '../run-world.ts';
import { tenantManifest } from '../user.ts';
import { millicores, type Price } from './bill.ts';
import type { Hold, LevelRules, StartRate } from './levels.ts';
import { sessionOf, type Written } from './trail.ts';

/** Tenants that are limited in one way, and what is limited. */
interface Flavour {
  readonly plan?: string;
  readonly namespaces: readonly string[];
  readonly quotas: object;
  readonly worker?: object;
  readonly price: Price;
  /** By what a pod holds, see `holdsOf`. */
  readonly limits: Readonly<Record<string, number>>;
  readonly rate?: StartRate;
  /** What differs between its Runs. */
  readonly specOf?: (index: number) => object;
  /** How long a pod of it runs. */
  readonly duration: string;
  /** How long those of the first Runs do. */
  readonly lasting?: { readonly first: number; readonly duration: string };
}

/** As many as a limit has room for: they are under way at one time, however slow the machine is, and whoever of the leaders ends. */
const UP_TO_LIMIT = { first: 3, duration: '10s' };
/** Priority of who ends others. */
const URGENT = 100;
const STANDARD: Price = { tier: 'standard', tierPercent: 100 };

const FLAVOURS: Readonly<Record<string, Flavour>> = {
  // Two namespaces share places, and compute that is too little for all of them.
  compute: {
    namespaces: ['main', 'side'],
    quotas: { runs: { maxConcurrent: 4 }, compute: { 'requests.cpu': '300m' }, objects: { pods: 20 } },
    price: STANDARD,
    limits: { Runs: 4, millicores: 300 },
    duration: '1200ms',
    lasting: UP_TO_LIMIT,
  },
  sessions: {
    plan: 'dear',
    namespaces: ['main'],
    quotas: { runs: { maxConcurrent: 4 } },
    worker: { limits: { maxConcurrentRuns: 3 } },
    price: { ...STANDARD, perMillion: { runUnits: 1_000_000_000_000n } },
    limits: { Runs: 4, 'Runs of worker': 3, 'Runs of session 0': 1, 'Runs of session 1': 1 },
    // Two sessions, and Runs without any.
    specOf: (index) => (index % 4 < 2 ? { session: String(index % 4) } : {}),
    duration: '1s',
    lasting: UP_TO_LIMIT,
  },
  gpus: {
    // Also what they cost is reserved.
    plan: 'priced',
    namespaces: ['main'],
    quotas: {
      gpus: [{ class: 'a100-3g', count: 3 }],
      runs: { maxConcurrent: 10 },
      cost: [{ window: 'month', limit: '1M' }],
    },
    worker: { tier: 'heavy', gpu: { class: 'a100-3g', count: 1 } },
    price: {
      tier: 'heavy',
      tierPercent: 150,
      gpu: { count: 1, parts: 3, of: 7, percent: 150 },
      perMillion: {
        runUnits: 500_000_000_000n,
        inputTokens: 3_000_000_000n,
        outputTokens: 15_000_000_000n,
        toolCalls: 1_000_500_000n,
      },
    },
    limits: { Runs: 10, 'devices of a100-3g': 3 },
    duration: '1s',
    lasting: UP_TO_LIMIT,
  },
  rates: {
    namespaces: ['main'],
    quotas: { runs: { maxConcurrent: 10, createPerSecond: 1, createBurst: 3 } },
    price: STANDARD,
    limits: { Runs: 10 },
    rate: { perSecond: 1, burst: 3 },
    duration: '300ms',
  },
  // A few that are urgent end others, whose time would be longer than they may wait.
  urgent: {
    namespaces: ['main'],
    quotas: { runs: { maxConcurrent: 2, preemption: 'LowerPriority' } },
    worker: { tier: 'ultra' },
    price: { tier: 'ultra', tierPercent: 300 },
    limits: { Runs: 2 },
    specOf: (index) => ({ priority: index % 5 === 4 ? URGENT : 0 }),
    duration: '1s',
    // The first ones are there when somebody urgent comes, however slow the machine is.
    lasting: { first: 2, duration: '30s' },
  },
};

const NAMES = Object.keys(FLAVOURS);
const RESOURCES = { requests: { cpu: '100m', memory: '64Mi' } };
const SIMULATED = 'kwok.nexusos.dev';
const REPORT = JSON.stringify({ usage: { inputTokens: 7, toolCalls: 2, sandboxCalls: 1 } });

/** One Run of the storm. */
export interface Planned {
  readonly object: ReturnType<typeof run>;
  /** How it must end, whoever is killed. */
  readonly want: 'Succeeded' | 'Failed' | 'Cancelled';
  /** Whether its creator takes it back. */
  readonly isCancelled: boolean;
  /** Created after all others, which it ends. */
  readonly isUrgent: boolean;
}

/** Names of so many tenants, of all flavours in turn. */
export function stormTenants(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${NAMES[index % NAMES.length]}-${index}`);
}

function flavourOf(tenant: string): Flavour {
  const flavour = FLAVOURS[tenant.replace(/-\d+$/, '')];
  if (flavour === undefined) throw new Error(`no tenant of the storm: ${tenant}`);
  return flavour;
}

/** The Tenant, and the Agents in its namespaces. */
export function stormObjects(tenant: string): {
  readonly tenant: object;
  readonly agents: readonly object[];
} {
  const { namespaces, quotas, worker, plan } = flavourOf(tenant);
  return {
    tenant: tenantManifest(tenant, { namespaces: namespaces.map((suffix) => ({ suffix })), quotas, plan }),
    agents: namespaces.map((suffix) =>
      agent(`${tenant}-${suffix}`, {
        container: { image: 'registry.example/worker:1', resources: RESOURCES },
        ...worker,
      }),
    ),
  };
}

/** The Runs of one tenant: some fail and are tried again, some are taken back, some bear the key of the one before, some report. */
export function stormRuns(tenant: string, count: number): readonly Planned[] {
  const flavour = flavourOf(tenant);
  return Array.from({ length: count }, (_, index) => stormRun(tenant, flavour, index));
}

function stormRun(tenant: string, flavour: Flavour, index: number): Planned {
  const { namespaces, specOf } = flavour;
  const isCancelled = index % 8 === 5;
  const fails = index % 8 === 3;
  // The second of two with one key must be the same as the first, and is in the same namespace.
  const isSecond = index % 10 === 7;
  const twin = isSecond ? index - 1 : index;
  const namespace = `${tenant}-${namespaces[twin % namespaces.length]}`;
  const annotations = {
    [`${SIMULATED}/duration`]: isCancelled ? '1h' : durationOf(flavour, index),
    ...(fails && { [`${SIMULATED}/outcome`]: 'exit-code' }),
    ...(index % 3 === 0 && { [`${SIMULATED}/termination-message`]: REPORT }),
  };
  const spec = {
    ...specOf?.(twin),
    ...(fails && { retries: { limit: 1, backoffSeconds: 1 } }),
    ...((isSecond || index % 10 === 6) && { idempotencyKey: `pair-${twin}` }),
  };
  const object = run(namespace, `run-${index}`, { annotations, spec });
  const isUrgent = 'priority' in spec && spec.priority === URGENT;
  return { object, isCancelled, isUrgent, want: wantOf({ isCancelled, fails }) };
}

function durationOf({ duration, lasting }: Flavour, index: number): string {
  return lasting !== undefined && index < lasting.first ? lasting.duration : duration;
}

function wantOf({ isCancelled, fails }: { readonly isCancelled: boolean; readonly fails: boolean }) {
  if (isCancelled) return 'Cancelled';
  return fails ? 'Failed' : 'Succeeded';
}

/** The tenant whose Run or pod it is. */
export function tenantOf({ metadata }: Written): string {
  return (metadata.namespace ?? '').replace(/-(main|side)$/, '');
}

/** What these tenants may hold at one moment, and what their pods hold. */
export function stormLevels(tenants: readonly string[]): LevelRules {
  const limits = tenants.flatMap((tenant) =>
    Object.entries(flavourOf(tenant).limits).map(([what, most]) => [`${what} in ${tenant}`, most] as const),
  );
  return { limits: new Map(limits), holdsOf };
}

function holdsOf(pod: Written, of: Written | undefined): readonly Hold[] {
  const tenant = tenantOf(pod);
  const session = sessionOf(of);
  const requests = requestsOf(pod);
  const devices = Object.entries(requests).filter(([name]) => name.startsWith('nvidia.com/'));
  const holds = [
    { of: 'Runs', amount: 1 },
    { of: 'Runs of worker', amount: 1 },
    { of: 'millicores', amount: Number(millicores(requests['cpu'] ?? '0')) },
    ...(session === undefined ? [] : [{ of: `Runs of session ${session}`, amount: 1 }]),
    ...devices.map(([, count]) => ({
      of: `devices of ${pod.metadata.labels?.['nexusos.dev/gpu-class']}`,
      amount: Number(count),
    })),
  ];
  return holds.map(({ of: what, amount }) => ({ of: `${what} in ${tenant}`, amount }));
}

/** How fast Runs of these tenants may start, where that is limited. */
export function stormRates(tenants: readonly string[]): ReadonlyMap<string, StartRate> {
  return new Map(
    tenants.flatMap((tenant) => {
      const { rate } = flavourOf(tenant);
      return rate === undefined ? [] : [[tenant, rate] as const];
    }),
  );
}

/** The price of a pod, as its Agent says. */
export function stormPrice(pod: Written): Price {
  return flavourOf(tenantOf(pod)).price;
}

function requestsOf({ spec }: Written): Readonly<Record<string, string>> {
  const { containers = [] } = (spec ?? {}) as {
    readonly containers?: readonly { readonly resources?: { readonly requests?: Record<string, string> } }[];
  };
  return containers[0]?.resources?.requests ?? {};
}
