// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RefusedError } from '../../errors.ts';
import type { KubeObject } from '../../object.ts';
import { NOW } from '../../run/testing/make.ts';
import type { Agent } from '../agent.ts';
import { holdUpService } from './report.ts';
import {
  after,
  conditionIn,
  CPU,
  deleted,
  isSilent,
  kinds,
  makeService,
  named,
  pass,
  removed,
  SCALED,
  type Seen,
  specOf,
  standing,
} from './testing/service-world.ts';

test('a suspended tenant has no pods, and gets them back', (t) => {
  for (const [agent, back] of [
    [makeService({ replicas: { min: 3 } }), 3],
    [makeService(SCALED, CPU), 2],
  ] as const) {
    const objects = standing(agent, { desired: 4 });
    const stopped = pass(agent, { objects, tenant: { suspended: true } });
    t.deepEqual(kinds(stopped.apply), ['Deployment']);
    t.is(specOf(stopped.apply[0])['replicas'], 0);
    t.is(conditionIn(stopped)?.reason, 'TenantSuspended');
    const none = standing(agent, { desired: 0 });
    const resumed = pass(agent, { objects: none });
    t.is(specOf(named(resumed.apply, 'Deployment'))['replicas'], back);
  }
  t.deepEqual(pass(makeService(), { tenant: { suspended: true } }).create, [], 'none is made meanwhile');
});

const suspensions: Record<
  string,
  { readonly agent: Agent; readonly objects: Seen['objects'] & {}; readonly removes: readonly string[] }
> = {
  'of which the Deployment would change as well': {
    agent: makeService({ rollout: { maxUnavailable: 1, maxSurge: 0 } }),
    objects: standing(makeService()),
    removes: ['Deployment'],
  },
  'of which the Service would change as well': {
    agent: makeService(),
    objects: new Map([
      ...standing(makeService()),
      ['Service' as const, standing(makeService({ port: 9000 })).get('Service')!],
    ]),
    removes: [],
  },
  'of which the autoscaler would go as well': {
    agent: makeService({}, CPU),
    objects: new Map([
      ...standing(makeService({}, CPU)),
      [
        'HorizontalPodAutoscaler' as const,
        standing(makeService(SCALED, CPU)).get('HorizontalPodAutoscaler')!,
      ],
    ]),
    removes: [],
  },
  'of which a write was refused before': {
    agent: refused(makeService()),
    objects: standing(makeService()),
    removes: ['Deployment'],
  },
  'whose place a former one has left': {
    agent: makeService(),
    objects: new Map([['Deployment' as const, orphan(standing(makeService()).get('Deployment')!)]]),
    removes: ['Deployment'],
  },
};

/** As it is left by `--cascade=orphan`. */
function orphan(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, ownerReferences: [] } };
}

/** `agent` after the API server refused a write for a while. */
function refused(agent: Agent): Agent {
  const stood = after(agent, pass(agent, { objects: standing(agent), tenant: { suspended: true } }));
  const later = new Date(NOW.getTime() + 60_000);
  const told = holdUpService(stood, new RefusedError('policy_blocked', 'no'), later);
  return after(agent, told as ReturnType<typeof pass>);
}

for (const [title, { agent, objects, removes }] of Object.entries(suspensions)) {
  test(`in a suspended tenant nothing but the pods of a service ends, ${title}`, (t) => {
    const tenant = { suspended: true };
    const plan = pass(agent, { objects, tenant });
    t.deepEqual(removed(plan), removes);
    t.deepEqual(kinds(plan.apply), removes.length > 0 ? [] : ['Deployment']);
    t.deepEqual(plan.create, []);
    const rest = new Map([...objects].filter(([kind]) => kind !== 'Deployment'));
    const next = pass(after(agent, plan), { objects: rest, tenant });
    t.true(isSilent(next));
    t.is(conditionIn(next)?.reason, 'TenantSuspended');
  });
}

test('a Deployment without pods is left as it is in a suspended tenant, whatever becomes of its Agent', (t) => {
  const objects = standing(makeService(), { desired: 0 });
  const agent = makeService({ rollout: { maxUnavailable: 1, maxSurge: 0 } });
  for (const one of [agent, refused(agent), deleted(agent)])
    t.true(isSilent(pass(one, { objects, tenant: { suspended: true } })));
});

test('that pods of a suspended tenant run on is told, and stays told until they are gone', (t) => {
  const agent = refused(makeService());
  const plan = pass(agent, { objects: standing(agent), tenant: { suspended: true } });
  t.is(conditionIn(plan)?.reason, 'WriteRefused');
  t.deepEqual(plan.status.conditions, agent.status?.conditions, 'that it is tried again is no news');
});

test('an Agent that cannot be written keeps no pods of a suspended tenant, and those that it had of any other', (t) => {
  const agent = makeService();
  const objects = standing(agent);
  const entitlements = { registries: ['other.example.com'] };
  const kept = pass(agent, { objects, tenant: { entitlements } });
  t.true(isSilent(kept));
  t.is(conditionIn(kept)?.reason, 'RegistryNotAllowed');
  t.is(conditionIn(kept, 'Available')?.status, 'True');
  const stopped = pass(agent, { objects, tenant: { entitlements, suspended: true } });
  t.deepEqual(removed(stopped), ['Deployment']);
  const changed = { ...agent, metadata: { ...agent.metadata, generation: 2 } };
  const first = pass(changed, { objects, tenant: { suspended: true }, revisions: 'none' });
  t.deepEqual(removed(first), ['Deployment'], 'before a revision is made, which may be refused');
});
