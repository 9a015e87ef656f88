// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Condition } from '../core/object.ts';
import { conditionEvents } from './condition-events.ts';

function condition(type: string, status: Condition['status'], reason: string): Condition {
  return { type, status, reason, message: `${reason}.`, observedGeneration: 1, lastTransitionTime: '' };
}

interface Case {
  readonly before: readonly Condition[];
  readonly after: readonly Condition[];
  readonly want: readonly string[];
}

const CASES: Record<string, Case> = {
  'nothing changed': {
    before: [condition('Ready', 'True', 'Done')],
    after: [condition('Ready', 'True', 'Done')],
    want: [],
  },
  'a reason is new': {
    before: [condition('Ready', 'False', 'Making')],
    after: [condition('Ready', 'False', 'Waiting')],
    want: ['Normal Waiting'],
  },
  'two conditions tell the same': {
    before: [],
    after: [condition('Ready', 'False', 'Making'), condition('Reconciling', 'True', 'Making')],
    want: ['Normal Making'],
  },
  'stuck is a warning, whoever tells it': {
    before: [],
    after: [condition('Ready', 'False', 'InvalidSpec'), condition('Stalled', 'True', 'InvalidSpec')],
    want: ['Warning InvalidSpec'],
  },
  'a condition that went is not told': {
    before: [condition('Ready', 'True', 'Done'), condition('Stalled', 'True', 'Stuck')],
    after: [condition('Ready', 'True', 'Done')],
    want: [],
  },
};

for (const [sentence, { before, after, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const events = conditionEvents({ conditions: before }, { conditions: after });
    t.deepEqual(
      events.map((event) => `${event.type} ${event.reason}`),
      want,
    );
  });
}

test('a status without conditions tells nothing', (t) => {
  t.deepEqual(conditionEvents(undefined, {}), []);
  t.deepEqual(conditionEvents({ conditions: 'x' }, { conditions: 7 }), []);
});
