// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../../object.ts';
import { ago } from '../../run/testing/make.ts';
import { allReady, conditionIn, makeService, pass, standing, after } from './testing/service-world.ts';

const agent = makeService({ replicas: { min: 3 } });
const NO_ROOM =
  'pods "agent-x" is forbidden: exceeded quota: nexusos, requested: pods=1, used: pods=2, limited: pods=2';

function quota(hard: string, used: string): KubeObject {
  const metadata = { name: 'nexusos', namespace: 'acme-dev' };
  const amounts = { hard: { pods: hard }, used: { pods: used } };
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: amounts.hard }, status: amounts };
}

/** What stands, with pods that were refused in these words, and asked for again at that time. */
function stuck(message: string, askedAgainAt?: string) {
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message };
  const status = allReady(2, { availableReplicas: 2, conditions: [failure] });
  return standing(agent, { status, askedAgainAt });
}

const cases: Record<
  string,
  {
    readonly message?: string;
    readonly asked?: string;
    readonly used?: string;
    readonly want: boolean;
    readonly says?: string;
  }
> = {
  'there is room now': { want: true },
  'there is still none': { used: '3', want: false },
  'they were asked for again just now': { asked: ago(10), want: false },
  'they were asked for again a while ago, and there is still room': { asked: ago(40), want: true },
  'they were asked for again, by a clock that was ahead': { asked: ago(-100), want: true },
  'it was a quota of somebody else': {
    message: 'exceeded quota: theirs, requested: pods=1, used: pods=2, limited: pods=2',
    want: false,
    says: 'PodsRefused',
  },
};

for (const [title, { message = NO_ROOM, asked, used = '2', want, says = 'QuotaExceeded' }] of Object.entries(
  cases,
)) {
  test(`pods that found no room are ${want ? '' : 'not '}asked for again: ${title}`, (t) => {
    const seen = { objects: stuck(message, asked), quota: quota('3', used) };
    const told = pass(agent, seen);
    const plan = pass(after(agent, told), seen);
    t.deepEqual(
      plan.apply.map(({ kind }) => kind),
      want ? ['Deployment'] : [],
    );
    t.is(conditionIn(plan)?.reason, says);
    t.deepEqual(plan.status, told.status, 'that is no news');
    if (want) t.is(plan.apply[0]?.metadata.annotations?.[ANNOTATIONS.askedAgainAt], '2026-11-21T12:00:00Z');
  });
}

test('a service that stands again keeps the time at which it was asked for, and writes nothing', (t) => {
  const objects = standing(agent, { askedAgainAt: ago(3600) });
  t.deepEqual(pass(agent, { objects, quota: quota('9', '3') }).apply, []);
});
