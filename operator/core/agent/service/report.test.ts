// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RefusedError } from '../../errors.ts';
import { makeAgent, NOW } from '../../run/testing/make.ts';
import { planRefused } from '../plan.ts';
import { holdUpService } from './report.ts';
import { after, conditionIn, makeService, pass, standing } from './testing/service-world.ts';

test('what the API server refuses is said once, and stays said while it is tried again', (t) => {
  const agent = makeService();
  const cases = [
    {
      code: 'conflict',
      message: 'Service acme-dev/agent exists, and Agent agent does not own it',
      reason: 'NameTaken',
    },
    {
      code: 'policy_blocked',
      message: 'no services: used 3',
      again: 'no services: used 4',
      reason: 'WriteRefused',
    },
  ] as const;
  for (const { reason, ...said } of cases) {
    const { code, message } = said;
    const told = planRefused(agent, new RefusedError(code, message), NOW)!;
    t.is(conditionIn(told)?.reason, reason);
    t.true(conditionIn(told)?.message.includes(message));
    t.is(told.result.kind, 'retry');
    const next = pass(after(agent, told));
    t.deepEqual(conditionIn(next), conditionIn(told), 'that it is tried again is no news');
    const repeated = 'again' in said ? said.again : message;
    const again = planRefused(after(agent, told), new RefusedError(code, repeated), NOW)!;
    t.deepEqual(again.status, told.status);
  }
  const stood = after(agent, pass(agent, { objects: standing(agent) }));
  const later = new Date(NOW.getTime() + 60_000);
  const held = holdUpService(stood, new RefusedError('policy_blocked', 'not this image'), later);
  t.is(conditionIn(held as ReturnType<typeof pass>)?.reason, 'WriteRefused');
  t.is(holdUpService(makeAgent(), new RefusedError('policy_blocked', 'x'), later), undefined);
});
