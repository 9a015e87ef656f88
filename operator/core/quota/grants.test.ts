// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { parseAmounts } from './amounts.ts';
import { dealGrants, type Grant, type NamespaceQuota } from './grants.ts';
import { parseQuantity } from './quantity.ts';

interface Given {
  /** Granted, seen as enforced, and used; the ResourceQuota shows the grant unless told otherwise. */
  readonly grant?: string;
  readonly ceiling?: string;
  readonly revision?: number;
  readonly seen?: {
    readonly revision?: number;
    readonly hard: string;
    readonly used: string;
    readonly specHard?: string;
  };
  readonly leaving?: boolean;
}

function namespaceOf(name: string, key: string, given: Given): NamespaceQuota {
  const { grant, ceiling, revision = 1, seen, leaving = false } = given;
  const one = (value: string | undefined) => parseAmounts(value === undefined ? {} : { [key]: value });
  return {
    name,
    isLeaving: leaving,
    grant:
      grant === undefined
        ? undefined
        : { namespace: name, hard: one(grant), revision, ceiling: one(ceiling) },
    seen: seen && {
      revision: seen.revision ?? revision,
      specHard: one(seen.specHard ?? seen.hard),
      hard: one(seen.hard),
      used: one(seen.used),
    },
  };
}

interface Case {
  readonly key?: string;
  readonly total: string;
  readonly namespaces: Record<string, Given>;
  readonly demands?: readonly [namespace: string, amount: string][];
  readonly want: Record<string, string>;
  readonly wantCeilings?: Record<string, string>;
  readonly wantMoving?: boolean;
  readonly wantOverCommitted?: boolean;
}

const cases: Record<string, Case> = {
  'a single namespace gets everything at once': {
    total: '10',
    namespaces: { a: {} },
    want: { a: '10' },
  },
  'two new namespaces get equal shares': {
    total: '10',
    namespaces: { a: {}, b: {} },
    want: { a: '5', b: '5' },
  },
  'what cannot be divided goes to the first': {
    total: '5',
    namespaces: { a: {}, b: {} },
    want: { a: '3', b: '2' },
  },
  'cores are divided by the thousandth': {
    key: 'requests.cpu',
    total: '1',
    namespaces: { a: {}, b: {}, c: {} },
    want: { a: '334m', b: '333m', c: '333m' },
  },
  'a second namespace gets nothing before the first has given back': {
    total: '10',
    namespaces: { a: { grant: '10', seen: { hard: '10', used: '2' } }, b: {} },
    want: { a: '6', b: '0' },
    wantCeilings: { a: '10' },
    wantMoving: true,
  },
  'an older revision in the ResourceQuota proves nothing': {
    total: '10',
    namespaces: {
      a: { grant: '6', ceiling: '10', revision: 2, seen: { revision: 1, hard: '6', used: '2' } },
      b: { grant: '0', seen: { hard: '0', used: '0' } },
    },
    want: { a: '6', b: '0' },
    wantCeilings: { a: '10' },
    wantMoving: true,
  },
  'a newer revision than ours proves nothing either': {
    total: '10',
    namespaces: {
      a: { grant: '6', ceiling: '10', revision: 2, seen: { revision: 3, hard: '4', used: '2' } },
      b: { grant: '0', seen: { hard: '0', used: '0' } },
    },
    want: { a: '6', b: '0' },
    wantCeilings: { a: '10' },
    wantMoving: true,
  },
  'a ResourceQuota whose status still allows more proves nothing': {
    total: '10',
    namespaces: {
      a: { grant: '6', ceiling: '10', revision: 2, seen: { hard: '10', specHard: '6', used: '2' } },
      b: { grant: '0', seen: { hard: '0', used: '0' } },
    },
    want: { a: '6', b: '0' },
    wantCeilings: { a: '10' },
    wantMoving: true,
  },
  'claims beyond the total are a view that is old: nothing is raised above what the ledger covers': {
    total: '10',
    namespaces: {
      a: { grant: '4', revision: 2, seen: { revision: 1, hard: '10', used: '1' } },
      b: { grant: '6', seen: { hard: '6', used: '2' } },
    },
    demands: [['a', '6']],
    want: { a: '4', b: '2' },
    wantCeilings: { b: '6' },
    wantMoving: true,
  },
  'what was seen to be given back is granted to the other': {
    total: '10',
    namespaces: {
      a: { grant: '6', ceiling: '10', revision: 2, seen: { hard: '6', used: '2' } },
      b: { grant: '0', seen: { hard: '0', used: '0' } },
    },
    want: { a: '6', b: '4' },
  },
  'a settled ledger stays as it is while headroom is good enough': {
    total: '100',
    namespaces: {
      a: { grant: '50', seen: { hard: '50', used: '30' } },
      b: { grant: '50', seen: { hard: '50', used: '0' } },
    },
    want: { a: '50', b: '50' },
  },
  'a namespace short of headroom gets some of what another has too much of': {
    total: '100',
    namespaces: {
      a: { grant: '50', seen: { hard: '50', used: '48' } },
      b: { grant: '50', seen: { hard: '50', used: '0' } },
    },
    want: { a: '50', b: '26' },
    wantCeilings: { b: '50' },
    wantMoving: true,
  },
  'a demand is met from what others do not use': {
    total: '10',
    namespaces: {
      a: { grant: '5', seen: { hard: '5', used: '5' } },
      b: { grant: '5', seen: { hard: '5', used: '0' } },
    },
    demands: [['a', '2']],
    want: { a: '5', b: '1' },
    wantCeilings: { b: '5' },
    wantMoving: true,
  },
  'a demand that does not fit moves nothing': {
    total: '8',
    namespaces: {
      a: { grant: '4', seen: { hard: '4', used: '3' } },
      b: { grant: '4', seen: { hard: '4', used: '3' } },
    },
    demands: [['a', '3']],
    want: { a: '4', b: '4' },
  },
  'of two demands the first that fits wins, whole': {
    total: '8',
    namespaces: {
      a: { grant: '4', seen: { hard: '4', used: '0' } },
      b: { grant: '4', seen: { hard: '4', used: '0' } },
    },
    demands: [
      ['a', '8'],
      ['b', '8'],
    ],
    want: { a: '4', b: '0' },
    wantCeilings: { b: '4' },
    wantMoving: true,
  },
  'a total lowered below use takes from nobody and lets nothing new start': {
    total: '6',
    namespaces: {
      a: { grant: '10', seen: { hard: '10', used: '8' } },
      b: { grant: '10', seen: { hard: '10', used: '4' } },
    },
    want: { a: '4', b: '2' },
    wantCeilings: { a: '10', b: '10' },
    wantOverCommitted: true,
  },
  'a namespace that leaves keeps what it uses and no more': {
    total: '10',
    namespaces: {
      a: { grant: '5', seen: { hard: '5', used: '1' } },
      b: { grant: '5', seen: { hard: '5', used: '3' }, leaving: true },
    },
    want: { a: '5', b: '3' },
    wantCeilings: { b: '5' },
    wantMoving: true,
  },
  'a total that was raised is dealt out at once': {
    total: '20',
    namespaces: {
      a: { grant: '5', seen: { hard: '5', used: '1' } },
      b: { grant: '5', seen: { hard: '5', used: '3' } },
    },
    want: { a: '9', b: '11' },
  },
  'memory is dealt in mebibytes': {
    key: 'requests.memory',
    total: '1Gi',
    namespaces: { a: {}, b: {}, c: {} },
    want: { a: '342Mi', b: '341Mi', c: '341Mi' },
  },
};

/** Amounts in thousandths, without those that are zero. */
function parsed(record: Record<string, string> = {}): Record<string, bigint> {
  const milli = Object.entries(record).map(([one, value]) => [one, parseQuantity(value)!] as const);
  return Object.fromEntries(milli.filter(([, amount]) => amount > 0n));
}

for (const [name, { key = 'pods', total, namespaces, demands = [], ...wants }] of Object.entries(cases)) {
  test(name, (t) => {
    const dealt = dealGrants({
      totals: parseAmounts({ [key]: total }),
      namespaces: Object.entries(namespaces).map(([one, given]) => namespaceOf(one, key, given)),
      demands: demands.map(([namespace, amount]) => ({
        namespace,
        amounts: parseAmounts({ [key]: amount }),
      })),
    });
    const amounts = (pick: (grant: Grant) => bigint | undefined) =>
      Object.fromEntries(
        dealt.grants.map((grant) => [grant.namespace, pick(grant)]).filter(([, milli]) => milli),
      );
    t.deepEqual(
      amounts(({ hard }) => hard.get(key)),
      parsed(wants.want),
    );
    t.deepEqual(
      amounts(({ ceiling }) => ceiling.get(key)),
      parsed(wants.wantCeilings),
    );
    t.is(dealt.isMoving, wants.wantMoving ?? false);
    t.is(dealt.overCommitted.length > 0, wants.wantOverCommitted ?? false);
  });
}

test('a revision grows only when the grant changes', (t) => {
  const settled = namespaceOf('a', 'pods', { grant: '10', revision: 7, seen: { hard: '10', used: '1' } });
  const deal = (total: string) =>
    dealGrants({ totals: parseAmounts({ pods: total }), namespaces: [settled], demands: [] }).grants[0]!
      .revision;
  t.is(deal('10'), 7);
  t.is(deal('11'), 8);
});
