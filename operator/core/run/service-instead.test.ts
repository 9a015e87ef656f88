// SPDX-License-Identifier: Apache-2.0
import { testPlans, WAITING } from './testing/plan-cases.ts';

const place = { ...WAITING, reason: 'AgentIsService', message: 'spec.agentRef.name: takes requests at x' };

testPlans({
  'a Run of a service fails, since it would wait for ever': {
    seen: { place },
    want: { phase: 'Failed', reason: 'AgentIsService', code: 'invalid_request' },
    wantSaid: ['spec.agentRef.name', 'takes requests at x'],
  },
  'also where the queue is full': {
    seen: { place: { ...place, full: { found: 50, allowed: 40 } } },
    want: { phase: 'Failed', reason: 'AgentIsService', code: 'invalid_request' },
  },
});
