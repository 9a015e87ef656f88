// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { Estimate } from '#crds/v1alpha1/budgets';
import type { TenantQuotas } from '#crds/v1alpha1/tenant-quotas';
import { eventually } from '#hack/tools/eventually';
import { parseMicro } from '../core/metering/micro.ts';
import type { Run } from '../core/run/run.ts';
import type { Ledger, Tenant } from '../core/tenant/tenant.ts';
import { QUOTA_LEDGERS, RUNS, TENANTS } from '../core/resources.ts';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  makeAgent,
  makeTenant,
  runOf,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest as TestFn<WorkloadRig>;
const FOREVER = { 'kwok.nexusos.dev/duration': '600s' };
const SAYS = 'kwok.nexusos.dev/termination-message';

test.before(async (t) => {
  t.context = await attachWorkloadRig();
});
test.after.always((t) => t.context.close());

/** Readies a tenant for Runs: its one namespace has an Agent that requests `cpu`. */
async function fillTenant(
  rig: WorkloadRig,
  tenant: string,
  { cpu, estimate }: { readonly cpu: string; readonly estimate: Estimate },
): Promise<void> {
  const container: AgentSpec['container'] = {
    image: 'registry.example.com/agent:1',
    resources: { requests: { cpu, memory: '64Mi' } },
  };
  await makeAgent(rig, { namespace: `${tenant}-main`, name: 'agent' }, { container, estimate });
}

function withBudgets(quotas: Pick<TenantQuotas, 'runUnits' | 'tokens' | 'cost'>, plan = 'standard') {
  return { plan, namespaces: [{ suffix: 'main' }], quotas };
}

/** Sets the budget of run units for a month. */
async function raise(rig: WorkloadRig, name: string, limit: number): Promise<void> {
  const spec = { quotas: { runUnits: [{ window: 'month', limit }] } };
  await rig.client.patch(TENANTS, { name }, { body: { spec } });
}

async function usageOf(rig: WorkloadRig, name: string, budget: string) {
  const { status } = ((await rig.client.get(TENANTS, { name })) ?? {}) as Partial<Tenant>;
  return status?.usage?.find((one) => one.name === budget);
}

test('Runs that reserve all of a budget keep the next one waiting, which is told what is left, and goes on when it is raised', async (t) => {
  const rig = t.context;
  const namespace = 'penny-wise-main';
  await makeTenant(rig, 'penny-wise', withBudgets({ runUnits: [{ window: 'month', limit: 10 }] }));
  await fillTenant(rig, 'penny-wise', { cpu: '10m', estimate: { runUnits: 4 } });
  for (const name of ['first', 'second']) {
    await createRun(rig, { namespace, name }, { annotations: FOREVER });
    await becomes(rig, { namespace, name }, { phase: 'Running' });
  }
  const third = { namespace, name: 'third' };
  await createRun(rig, third, { annotations: FOREVER });
  const { status } = await becomes(rig, third, { phase: 'Queued', reason: 'BudgetExhausted' });
  t.regex(
    status?.queue?.message ?? '',
    /^2 of the tenant's 10 run units for a month are left beside what Runs under way have reserved \(quotas\.runUnits\), and it would reserve 4;/,
  );
  // Nobody waits for what no window could ever give.
  const large = { namespace, name: 'large' };
  await createRun(rig, large, { spec: { estimate: { runUnits: '10.5' } } });
  const tooLarge = await becomes(rig, large, { phase: 'Queued', reason: 'BudgetTooSmall' });
  t.regex(tooLarge.status?.queue?.message ?? '', /10\.5 run units.*budget of 10 .*spec\.estimate\.runUnits/);
  await eventually('the Tenant tells what is reserved', async () => {
    const usage = await usageOf(rig, 'penny-wise', 'runUnits/month');
    return usage?.reserved === '8' && usage.used === '0' && usage.limit === '10';
  });

  await raise(rig, 'penny-wise', 12);
  await becomes(rig, third, { phase: 'Running' });
  await raise(rig, 'penny-wise', 100);
  await becomes(rig, large, { phase: 'Succeeded' });
});

test('a Run that uses up a budget beyond what it had reserved is paused, fails nothing, and goes on when it is raised', async (t) => {
  const rig = t.context;
  const key = { namespace: 'lavish-main', name: 'run' };
  await makeTenant(rig, 'lavish', withBudgets({ runUnits: [{ window: 'month', limit: 3 }] }));
  await fillTenant(rig, 'lavish', { cpu: '1', estimate: { runUnits: 1 } });
  await createRun(rig, key, { annotations: FOREVER, spec: { retries: { limit: 1 } } });
  // What it says then changes soon, since it has used more than the whole of the budget.
  const { status } = await eventually('it is paused', async () => {
    const run = await runOf(rig, key);
    return run?.status?.phase === 'Queued' && run.status.usage?.attempts?.length === 1 ? run : undefined;
  });
  t.like(status?.retries, { spent: 0, limit: 1 });
  t.regex(status?.queue?.reason ?? '', /^Budget/);
  const used = parseMicro(status?.usage?.total?.runUnits ?? '');
  t.true(used >= 3_000_000n, `${used} millionths were used before it was paused`);
  // It begins anew, so it reserves twice what it has used.
  await raise(rig, 'lavish', 1000);
  await becomes(rig, key, { phase: 'Running' });
  await eventually('what it has used is reserved', async () => {
    const { reserved = '', used: counted = '' } = (await usageOf(rig, 'lavish', 'runUnits/month')) ?? {};
    return parseMicro(reserved) === 2n * used && parseMicro(counted) === used;
  });
  await rig.client.patch(RUNS, key, { body: { spec: { cancel: true } } });
  const ended = await becomes(rig, key, { phase: 'Cancelled' });
  t.like(ended.status, { attempt: 2, retries: { spent: 0 } });
});

test('a Run that waits for a minute to end goes on in the next one', async (t) => {
  const rig = t.context;
  const namespace = 'minutely-main';
  await makeTenant(rig, 'minutely', withBudgets({ runUnits: [{ window: 'minute', limit: 1 }] }));
  await fillTenant(rig, 'minutely', { cpu: '10m', estimate: { runUnits: 1 } });
  await createRun(rig, { namespace, name: 'first' });
  const first = await becomes(rig, { namespace, name: 'first' }, { phase: 'Succeeded' });
  await createRun(rig, { namespace, name: 'second' });
  const second = await becomes(rig, { namespace, name: 'second' }, { phase: 'Succeeded' });
  const settledAt = first.status?.usage?.attempts?.[0]?.settledAt ?? '';
  const admittedAt = second.status?.admittedAt ?? '';
  t.true(settledAt.slice(0, 16) < admittedAt.slice(0, 16), `ended ${settledAt}, admitted ${admittedAt}`);
});

test('tokens that a Run has reported are counted at its end', async (t) => {
  const rig = t.context;
  const namespace = 'wordy-main';
  await makeTenant(rig, 'wordy', withBudgets({ tokens: [{ window: 'month', limit: '1k' }] }));
  await fillTenant(rig, 'wordy', { cpu: '10m', estimate: {} });
  const usage = { inputTokens: 600, outputTokens: 300 };
  await createRun(rig, { namespace, name: 'talks' }, { annotations: { [SAYS]: JSON.stringify({ usage }) } });
  await becomes(rig, { namespace, name: 'talks' }, { phase: 'Succeeded' });
  await createRun(rig, { namespace, name: 'asks' }, { spec: { estimate: { tokens: 101 } } });
  const { status } = await becomes(
    rig,
    { namespace, name: 'asks' },
    { phase: 'Queued', reason: 'BudgetExhausted' },
  );
  t.regex(status?.queue?.message ?? '', /^100 of the tenant's 1000 tokens are left/);
  await eventually('the Tenant says that little is left', async () => {
    const tenant = (await rig.client.get(TENANTS, { name: 'wordy' })) as Tenant | undefined;
    const remark = tenant?.status?.conditions?.find(({ type }) => type === 'NeedsAttention');
    return remark?.message.includes('tokens/month');
  });
  await createRun(rig, { namespace, name: 'fits' }, { spec: { estimate: { tokens: 100 }, priority: 10 } });
  await becomes(rig, { namespace, name: 'fits' }, { phase: 'Succeeded' });
});

/** The prices of plans, in millionths for a million, as the settings of these systems have them. */
const PRICED = {
  currency: 'USD',
  runUnits: 500_000_000_000,
  inputTokens: 3_000_000_000,
  outputTokens: 15_000_000_000,
  toolCalls: 1_000_500_000,
};
const DEAR = { currency: 'USD', runUnits: 1_000_000_000_000 };

/** What an attempt that is under way is charged by. */
function openPrice(run: Run | undefined): unknown {
  return run?.status?.usage?.open?.rate.price;
}

/** What a Run that was cancelled has cost, which is what its run units cost at `price`. */
async function settledCost(
  t: ExecutionContext<WorkloadRig>,
  key: { readonly namespace: string; readonly name: string },
  price: typeof DEAR,
): Promise<bigint> {
  const { status } = await becomes(t.context, key, { phase: 'Cancelled' });
  const { attempts = [], total } = status?.usage ?? {};
  t.deepEqual(
    attempts.map(({ rate }) => rate.price),
    [price],
  );
  const cost = parseMicro(total?.cost ?? '');
  const exact = parseMicro(total?.runUnits ?? '') * BigInt(price.runUnits);
  t.is(cost, (2n * exact + 10n ** 12n) / (2n * 10n ** 12n), key.name);
  t.true(cost > 0n);
  return cost;
}

/** What the ledger of a tenant says is reserved, was paid in all months, and in all tiers. */
async function costsInLedger(rig: WorkloadRig, name: string): Promise<readonly bigint[]> {
  const { status } = ((await rig.client.get(QUOTA_LEDGERS, { name })) ?? {}) as Partial<Ledger>;
  const { windows = [], tiers = [] } = status?.usage ?? {};
  const months = windows.filter(({ window }) => window === 'month').map(({ amounts }) => amounts);
  return [status?.reservations ?? [], months, tiers].map(costIn);
}

function costIn(all: readonly { readonly cost?: string | undefined }[]): bigint {
  return all.reduce((sum, { cost = '0' }) => sum + parseMicro(cost), 0n);
}

test('Runs that reserve all of a budget of cost keep the next one waiting; at another price they keep theirs, and who comes pays the new one', async (t) => {
  const rig = t.context;
  const namespace = 'shopper-main';
  await makeTenant(rig, 'shopper', withBudgets({ cost: [{ window: 'month', limit: 5 }] }, 'priced'));
  await fillTenant(rig, 'shopper', { cpu: '10m', estimate: { runUnits: 4 } });
  for (const name of ['first', 'second']) {
    await createRun(rig, { namespace, name }, { annotations: FOREVER });
    await becomes(rig, { namespace, name }, { phase: 'Running' });
  }
  const third = { namespace, name: 'third' };
  await createRun(rig, third, { annotations: FOREVER });
  const waiting = await becomes(rig, third, { phase: 'Queued', reason: 'BudgetExhausted' });
  t.regex(
    waiting.status?.queue?.message ?? '',
    /^1 of the tenant's 5 units of cost for a month are left beside what Runs under way have reserved \(quotas\.cost\), and it would reserve 2;/,
  );
  await eventually('the Tenant tells what is reserved', async () => {
    const usage = await usageOf(rig, 'shopper', 'cost/month');
    return usage?.reserved === '4' && usage.used === '0' && usage.limit === '5';
  });

  const spec = { plan: 'dear', quotas: { cost: [{ window: 'month', limit: 8 }] } };
  await rig.client.patch(TENANTS, { name: 'shopper' }, { body: { spec } });
  const admitted = await becomes(rig, third, { phase: 'Running' });
  t.deepEqual(openPrice(admitted), DEAR);
  const first = await runOf(rig, { namespace, name: 'first' });
  t.deepEqual(openPrice(first), PRICED);
  for (const name of ['first', 'second', 'third']) {
    await rig.client.patch(RUNS, { namespace, name }, { body: { spec: { cancel: true } } });
  }
  const costs = await Promise.all([
    settledCost(t, { namespace, name: 'first' }, PRICED),
    settledCost(t, { namespace, name: 'second' }, PRICED),
    settledCost(t, third, DEAR),
  ]);
  const sum = costs.reduce((so, one) => so + one, 0n);
  await eventually('the ledger has counted just that', async () => {
    const [reserved, ...counted] = await costsInLedger(rig, 'shopper');
    return reserved === 0n && counted.every((one) => one === sum);
  });
});

test('a Run that costs more than it had reserved is paused when nothing is left, and goes on when the budget is raised', async (t) => {
  const rig = t.context;
  const key = { namespace: 'bidder-main', name: 'run' };
  await makeTenant(rig, 'bidder', withBudgets({ cost: [{ window: 'month', limit: '1.5' }] }, 'priced'));
  await fillTenant(rig, 'bidder', { cpu: '1', estimate: { cost: '0.5' } });
  await createRun(rig, key, { annotations: FOREVER });
  const { status } = await eventually('it is paused', async () => {
    const run = await runOf(rig, key);
    return run?.status?.phase === 'Queued' && run.status.usage?.attempts?.length === 1 ? run : undefined;
  });
  t.regex(status?.queue?.reason ?? '', /^Budget/);
  t.true(parseMicro(status?.usage?.total?.cost ?? '') >= 1_500_000n, JSON.stringify(status?.usage?.total));
  const spec = { quotas: { cost: [{ window: 'month', limit: 1000 }] } };
  await rig.client.patch(TENANTS, { name: 'bidder' }, { body: { spec } });
  await becomes(rig, key, { phase: 'Running' });
  await rig.client.patch(RUNS, key, { body: { spec: { cancel: true } } });
  await becomes(rig, key, { phase: 'Cancelled' });
});

test('a tenant whose plan has no price is told that its budget of cost is not enforced, until it has one', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'barter', withBudgets({ cost: [{ window: 'month', limit: 0 }] }));
  const enforced = async (status: string) =>
    eventually(`QuotaEnforced is ${status}`, async () => {
      const tenant = (await rig.client.get(TENANTS, { name: 'barter' })) as Tenant | undefined;
      const found = tenant?.status?.conditions?.find(({ type }) => type === 'QuotaEnforced');
      return found?.status === status ? found : undefined;
    });
  const told = await enforced('False');
  t.is(told.reason, 'NotEnforced');
  t.regex(told.message, /no price for plan standard \(platform\.prices of the chart\): spec\.quotas\.cost$/);
  await fillTenant(rig, 'barter', { cpu: '10m', estimate: {} });
  const free = { namespace: 'barter-main', name: 'free' };
  await createRun(rig, free);
  const ended = await becomes(rig, free, { phase: 'Succeeded' });
  t.false(JSON.stringify(ended.status).includes('cost'));
  await rig.client.patch(TENANTS, { name: 'barter' }, { body: { spec: { plan: 'priced' } } });
  await enforced('True');
  await createRun(rig, { namespace: 'barter-main', name: 'paid' });
  await becomes(
    rig,
    { namespace: 'barter-main', name: 'paid' },
    { phase: 'Queued', reason: 'BudgetTooSmall' },
  );
});
