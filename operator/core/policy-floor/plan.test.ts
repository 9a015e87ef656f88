// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { DONE } from '../plan.ts';
import type { Exemption } from '../policy/exemption.ts';
import { MAX_FLOORS } from './names.ts';
import type { FloorSource } from './objects.ts';
import { type FloorPack, type FloorsObserved, planFloors, policyNameOf, revisionOf } from './plan.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const SETTINGS = {
  platformNamespace: 'nexusos-system',
  operatorUser: 'system:serviceaccount:nexusos-system:op',
};
const LONG_AGO = '2026-11-22T11:00:00Z';

function source(revision: string, more: Partial<FloorSource> = {}): FloorSource {
  const [name = ''] = revision.split('-');
  return {
    pack: { namespace: 'nexusos-system', name, uid: `uid-${name}` },
    revision,
    version: '1',
    contact: undefined,
    floor: { rules: [{ rule: 'r', expression: 'true', message: 'm' }] },
    binding: {},
    parameters: undefined,
    enforcement: 'Deny',
    ...more,
  };
}

function pack(active: string | undefined, next?: string, isBehind = false): FloorPack {
  const [name = ''] = (active ?? next ?? '').split('-');
  return {
    uid: `uid-${name}`,
    isBehind,
    active: active === undefined ? undefined : source(active),
    next: next === undefined ? undefined : source(next),
  };
}

function seen(fields: Partial<FloorsObserved>): FloorsObserved {
  return { packs: [], policies: [], bindings: [], tenants: [], exemptions: [], ...fields };
}

/** What the API server holds once a plan has been carried out. */
function after(before: FloorsObserved, madeAt = LONG_AGO): FloorsObserved {
  const { apply, remove } = planFloors(before, SETTINGS, NOW);
  const gone = new Set(remove.map(({ ref }) => ref.name));
  const made = apply.map((one) => ({
    ...one,
    metadata: {
      ...one.metadata,
      uid: one.metadata.name,
      creationTimestamp: olderOf(before, one) ?? madeAt,
    },
  }));
  const merge = (kind: string, old: readonly KubeObject[]) => {
    const now = made.filter((one) => one.kind === kind);
    const kept = old.filter(
      ({ metadata }) => !gone.has(metadata.name) && !now.some((one) => one.metadata.name === metadata.name),
    );
    return [...kept, ...now];
  };
  return {
    ...before,
    policies: merge('ValidatingAdmissionPolicy', before.policies),
    bindings: merge('ValidatingAdmissionPolicyBinding', before.bindings),
  };
}

function olderOf({ policies, bindings }: FloorsObserved, { metadata }: KubeObject): string | undefined {
  return [...policies, ...bindings].find((one) => one.metadata.name === metadata.name)?.metadata
    .creationTimestamp;
}

/** The revision that is held: what the bound policy is of. */
function held({ policies, bindings }: FloorsObserved): readonly (string | undefined)[] {
  return bindings.map((binding) => {
    const policy = policies.find(({ metadata }) => metadata.name === policyNameOf(binding));
    return policy && revisionOf(policy);
  });
}

function settled(observed: FloorsObserved): FloorsObserved {
  let now = observed;
  for (let pass = 0; pass < 5; pass += 1) now = after(now);
  return now;
}

test('the first floor of a pack is bound at once', (t) => {
  const made = after(seen({ packs: [pack('a-1')] }));
  t.deepEqual(
    made.policies.map(({ metadata }) => metadata.name),
    ['nexusos-floor-0-a'],
  );
  t.deepEqual(held(made), ['a-1']);
});

test('a candidate is made and not bound', (t) => {
  const made = settled(seen({ packs: [pack('a-1', 'a-2')] }));
  t.deepEqual(held(made), ['a-1']);
  t.deepEqual(made.policies.map(revisionOf), ['a-1', 'a-2']);
});

test('a candidate that becomes active is bound by one write, and the one before stays ready', (t) => {
  const before = { ...settled(seen({ packs: [pack('a-1', 'a-2')] })), packs: [pack('a-2', 'a-1')] };
  const { apply, remove } = planFloors(before, SETTINGS, NOW);
  const changed = apply.filter((one) => one.kind === 'ValidatingAdmissionPolicyBinding');
  t.is(changed.length, 1);
  t.deepEqual(remove, []);
  t.deepEqual(held(after(before)), ['a-2']);
});

test('one that nobody has seen yet is not bound where another one is, and is by and by', (t) => {
  const before = { ...settled(seen({ packs: [pack('a-1')] })), packs: [pack('a-2')] };
  const made = after(before, NOW.toISOString());
  t.deepEqual(held(made), ['a-1']);
  const plan = planFloors(made, SETTINGS, NOW);
  t.deepEqual(plan.result, {
    kind: 'requeueAfter',
    afterMs: 3000,
    why: 'a policy is to be bound, or an exemption expires',
  });
  t.deepEqual(held(after(made)), ['a-1'], 'the time is not over');
  const later = new Date(NOW.getTime() + 3000);
  const bound = planFloors(made, SETTINGS, later).apply.find(({ kind }) => kind.endsWith('Binding'));
  t.is(bound && revisionOf(bound), 'a-2');
});

test('from any end in between, the same is reached, and never is nothing held that was', (t) => {
  const begin = settled(seen({ packs: [pack('a-1', 'a-2')] }));
  const want = held(settled({ ...begin, packs: [pack('a-3', 'a-1')] }));
  const whole = planFloors({ ...begin, packs: [pack('a-3', 'a-1')] }, SETTINGS, NOW);
  for (let writes = 0; writes <= whole.apply.length + whole.remove.length; writes += 1) {
    // Cut after so many writes: what was applied is there, what was to be removed is as well.
    const cut = after({ ...begin, packs: [pack('a-3', 'a-1')] });
    const some = { ...cut, policies: [...begin.policies.slice(writes), ...cut.policies].filter(first) };
    t.true(
      held(some).every((one) => one !== undefined),
      `after ${writes}`,
    );
    t.deepEqual(held(settled(some)), want, `after ${writes}`);
  }
});

function first(one: KubeObject, index: number, all: readonly KubeObject[]): boolean {
  return all.findIndex(({ metadata }) => metadata.name === one.metadata.name) === index;
}

test('any step from any state of two revisions to any other ends at what is wanted', (t) => {
  const names = [undefined, 'a-1', 'a-2', 'a-3'];
  const states = names.flatMap((active) => names.map((next) => [active, next] as const));
  for (const [active, next] of states) {
    for (const [then, thenNext] of states) {
      const packOf = (one?: string, two?: string) => ({ ...pack(one, two), uid: 'uid-a' });
      const begun = settled(seen({ packs: [packOf(active, next)] }));
      const ended = settled({ ...begun, packs: [packOf(then, thenNext)] });
      const said = `${active}/${next} to ${then}/${thenNext}`;
      t.deepEqual(held(ended), then === undefined ? [] : [then], said);
      t.deepEqual(after(ended), settled(ended), `${said}: it has settled`);
    }
  }
});

test('packs keep their slots, and who comes gets what is free', (t) => {
  const two = settled(seen({ packs: [pack('a-1'), pack('b-1')] }));
  const one = settled({ ...two, packs: [pack('b-1')] });
  t.deepEqual(
    one.bindings.map(({ metadata }) => metadata.name),
    ['nexusos-floor-1'],
  );
  const again = settled({ ...one, packs: [pack('b-1'), pack('c-1')] });
  t.deepEqual(
    new Map(again.bindings.map((it) => [it.metadata.name, revisionOf(it)])),
    new Map([
      ['nexusos-floor-1', 'b-1'],
      ['nexusos-floor-0', 'c-1'],
    ]),
  );
});

test('there is room for so many, and no two share a name', (t) => {
  const packs = Array.from({ length: MAX_FLOORS + 3 }, (_, index) =>
    pack(`p${String(index).padStart(2, '0')}-1`),
  );
  const made = settled(seen({ packs }));
  t.is(new Set(made.bindings.map(({ metadata }) => metadata.name)).size, MAX_FLOORS);
  t.is(new Set(held(made)).size, MAX_FLOORS);
});

test('while a revision has not been seen, what is held stays as it is', (t) => {
  const before = settled(seen({ packs: [pack('a-1')] }));
  const { apply, remove } = planFloors(
    { ...before, packs: [{ ...pack(undefined), uid: 'uid-a', isBehind: true }] },
    SETTINGS,
    NOW,
  );
  t.deepEqual([apply, remove], [[], []]);
});

function trial(creationTimestamp: string): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'nexusos-floor-trial', uid: 'u', creationTimestamp },
  };
}

test('a trial that nobody came back for is cleared away, and one under way is not', (t) => {
  t.is(planFloors(seen({ policies: [trial(LONG_AGO)] }), SETTINGS, NOW).remove.length, 1);
  t.is(planFloors(seen({ policies: [trial(NOW.toISOString())] }), SETTINGS, NOW).remove.length, 0);
});

const EXEMPTION: Exemption = {
  name: 'e',
  packRef: { namespace: 'nexusos-system', name: 'a' },
  rules: ['r'],
  subjects: { tenants: ['acme'] },
  expiresAt: '2026-11-22T13:00:00Z',
  ticket: 't',
  requestedBy: 'asker',
  approval: { decision: 'Approved', by: 'approver' },
};

const EXEMPTIONS: Readonly<
  Record<string, { readonly change: Partial<Exemption>; readonly counts: boolean }>
> = {
  'one that counts': { change: {}, counts: true },
  'one from all rules': { change: { rules: undefined }, counts: true },
  'one from another rule': { change: { rules: ['s'] }, counts: false },
  'one from another pack': { change: { packRef: { namespace: 'nexusos-system', name: 'b' } }, counts: false },
  'one of the same name elsewhere': {
    change: { packRef: { namespace: 'acme-main', name: 'a' } },
    counts: false,
  },
  'one that is over': { change: { expiresAt: '2026-11-22T12:00:00Z' }, counts: false },
  'one that nobody approved': { change: { approval: undefined }, counts: false },
  'one approved by who asked': { change: { approval: { decision: 'Approved', by: 'asker' } }, counts: false },
};

for (const [title, { change, counts }] of Object.entries(EXEMPTIONS)) {
  test(`exemptions: ${title}`, (t) => {
    const plan = planFloors(
      seen({ packs: [pack('a-1')], exemptions: [{ ...EXEMPTION, ...change }] }),
      SETTINGS,
      NOW,
    );
    const spec = plan.apply[0]?.['spec'] as {
      readonly validations: readonly { readonly expression: string }[];
    };
    t.is(spec.validations[0]?.expression.includes('nexusosExempt0'), counts);
  });
}

test('when an exemption ends it is looked again', (t) => {
  const plan = planFloors(seen({ packs: [pack('a-1')], exemptions: [EXEMPTION] }), SETTINGS, NOW);
  t.is(plan.result.kind === 'requeueAfter' && plan.result.afterMs, 3_600_000);
});

function resultWith(exemptions: readonly Exemption[]) {
  return planFloors(seen({ packs: [pack('a-1')], exemptions }), SETTINGS, NOW).result;
}

test('one that lasts for long is looked at again before it ends, and with none nothing is waited for', (t) => {
  for (const days of [1, 2, 90]) {
    const expiresAt = new Date(NOW.getTime() + days * 86_400_000).toISOString();
    t.like(
      resultWith([{ ...EXEMPTION, expiresAt }]),
      { kind: 'requeueAfter', afterMs: 86_400_000 },
      `${days} days`,
    );
  }
  t.deepEqual(resultWith([]), DONE);
});

function tenant(name: string, plan: string) {
  return { name, plan, labels: {}, tier: 'Soft' };
}

test('which tenants a pack is for follows their plans; for none of them it is for nobody', (t) => {
  const tenants = [tenant('acme', 'gold'), tenant('beta', 'free')];
  const bound = (plans: readonly string[]) => {
    const active = source('a-1', { binding: { tenants: { plans: [...plans] } } });
    const plan = planFloors(seen({ packs: [{ ...pack('a-1'), active }], tenants }), SETTINGS, NOW);
    const binding = plan.apply.find(({ kind }) => kind.endsWith('Binding'));
    return JSON.stringify(binding?.['spec']);
  };
  t.regex(bound(['gold']), /"operator":"In","values":\["acme"\]/);
  t.regex(bound(['none']), /"nexusos.dev\/tenant","operator":"DoesNotExist"/);
});

const exemption = (index: number): Exemption => ({
  name: `e${index}`,
  packRef: { namespace: 'nexusos-system', name: 'a' },
  subjects: { namespaces: ['acme-dev'] },
  expiresAt: '2026-12-01T00:00:00Z',
  ticket: 'OPS-1',
  requestedBy: 'ann',
  approval: { decision: 'Approved', by: 'bob' },
});

/** How many a policy of a pack says that it leaves out. */
function leftOut(count: number): string | undefined {
  const exemptions = Array.from({ length: count }, (_, index) => exemption(index));
  const [policy] = after(seen({ packs: [pack('a-1')], exemptions })).policies;
  return policy?.metadata.annotations?.['nexusos.dev/floor-leaves-out'];
}

test('exemptions that there is no room for are counted on the policy, and no longer when there is', (t) => {
  t.deepEqual([1, 128, 129, 200].map(leftOut), [undefined, undefined, '1', '72']);
});
