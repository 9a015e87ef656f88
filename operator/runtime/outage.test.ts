// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { Outage } from './outage.ts';

/** `-3`: a request fails after three seconds. `+4`: one succeeds after four. */
type Story = readonly string[];

/** What happens from a client that is made at 0, and when those who wait are told that an outage is over. */
const STORIES: Record<string, { readonly story: Story; readonly want: readonly string[] }> = {
  'nothing but success is no outage': { story: ['+1', '+60'], want: [] },
  'silence without a failure is none': { story: ['+3600'], want: [] },
  'a failure among successes is none': { story: ['+9', '-10', '+10.5'], want: [] },
  'one kind that fails for ever is none': { story: ['-1', '+2', '-3', '+4', '-5', '+6'], want: [] },
  'failures alone, until a success, are one': { story: ['+1', '-2', '-30', '+34'], want: ['+34'] },
  'what comes after it is not told again': { story: ['-2', '+34', '+35', '+99'], want: ['+34'] },
  'a second one is told too': { story: ['-2', '+34', '-35', '+60'], want: ['+34', '+60'] },
};

for (const [sentence, { story, want }] of Object.entries(STORIES)) {
  test(sentence, (t) => {
    const outage = new Outage(0);
    const told: string[] = [];
    for (const step of story) {
      const forget = outage.onceOver(() => told.push(step));
      if (step.startsWith('-')) outage.failed();
      else outage.succeeded(Number(step) * 1000);
      forget();
    }
    t.deepEqual(told, want);
  });
}
