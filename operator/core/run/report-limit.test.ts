// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import { planRun } from './plan.ts';
import { limitReport } from './report-limit.ts';
import { ago, makePod, makeRun, NOW } from './testing/make.ts';
import { NOTHING_SEEN, RUNNING, testPlans } from './testing/plan-cases.ts';

interface Case {
  readonly reported: ReportedUsage | undefined;
  /** Seconds that its container ran. */
  readonly ran: number;
  readonly maxSeconds?: number;
  readonly want: ReportedUsage | undefined;
}

const MOST = 1_000_000_000_000;

const cases: Readonly<Record<string, Case>> = {
  'what its time allows counts as it was said': {
    reported: { inputTokens: 3_000_000, outputTokens: 7, toolCalls: 300, sandboxCalls: 0 },
    ran: 2,
    want: { inputTokens: 3_000_000, outputTokens: 7, toolCalls: 300, sandboxCalls: 0 },
  },
  'what is more is cut, each count for itself': {
    reported: { inputTokens: MOST, outputTokens: 7, toolCalls: 301, sandboxCalls: MOST },
    ran: 2,
    want: { inputTokens: 3_000_000, outputTokens: 7, toolCalls: 300, sandboxCalls: 300 },
  },
  'a container that ran for less than a second may have called something': {
    reported: { toolCalls: 4, inputTokens: MOST },
    ran: 0,
    want: { toolCalls: 4, inputTokens: 1_000_000 },
  },
  'a clock that jumped ahead allows no more than the timeout does': {
    reported: { toolCalls: MOST },
    ran: 1_000_000,
    maxSeconds: 59,
    want: { toolCalls: 6000 },
  },
  'one that jumped back allows as much as no time': {
    reported: { toolCalls: MOST },
    ran: -50,
    want: { toolCalls: 100 },
  },
  'who says nothing has used nothing': { reported: undefined, ran: 5, want: undefined },
};

for (const [sentence, { reported, ran, maxSeconds = 3600, want }] of Object.entries(cases)) {
  test(sentence, (t) => {
    const span = { startedAt: ago(ran), finishedAt: ago(0), maxSeconds };
    t.deepEqual(limitReport(reported, span), want);
  });
}

function ended(toolCalls: number, exitCode: number) {
  const message = JSON.stringify({ usage: { toolCalls } });
  const terminated = { exitCode, message, startedAt: ago(3), finishedAt: ago(0) };
  return makePod({ terminated }, { phase: exitCode === 0 ? 'Succeeded' : 'Failed' });
}

testPlans({
  'a Run that succeeded says that not all it reported is counted': {
    status: RUNNING,
    seen: { pod: ended(MOST, 0) },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
    wantWords: 'ended well; it reported more usage than its time allows',
  },
  'so does one that failed': {
    status: RUNNING,
    seen: { pod: ended(MOST, 1) },
    want: { phase: 'Failed', reason: 'ContainerFailed' },
    wantSaid: ['100 calls and 1000000 tokens of a kind for each second'],
  },
});

test('what is counted whole is not spoken of', (t) => {
  const seen = { ...NOTHING_SEEN, pod: ended(400, 0) };
  const { status } = planRun(makeRun({}, RUNNING), seen, NOW);
  t.is(status?.conditions?.find(({ type }) => type === 'Ready')?.message, 'its container ended well');
  t.deepEqual(status?.usage?.reported, { toolCalls: 400 });
});
