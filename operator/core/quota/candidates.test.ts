// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Agent } from '../agent/agent.ts';
import { ago, makeAgent, makeRun } from '../run/testing/make.ts';
import { candidateOf, demandOf } from './candidates.ts';
import type { Run } from '../run/run.ts';

const ready = makeAgent();

const CASES: Record<string, { readonly agent?: Agent; readonly want: string | undefined }> = {
  'an Agent that is Ready holds nothing up': { agent: ready, want: undefined },
  'an Agent that is not there does': { want: 'AgentNotFound' },
  'one that is not Ready does': { agent: makeAgent({}, 'False'), want: 'AgentNotReady' },
  'one whose new spec was not checked yet does': {
    agent: { ...ready, metadata: { ...ready.metadata, generation: 2 } },
    want: 'AgentNotReady',
  },
  'one that has no revision yet does': {
    agent: { ...ready, status: { conditions: ready.status?.conditions ?? [] } },
    want: 'AgentNotReady',
  },
  'one whose Runs people have to approve does': {
    agent: makeAgent({ approval: { approvers: 'Others', onTimeout: 'Reject' } }),
    want: 'ApprovalRequired',
  },
  'but nobody is asked while it is not Ready': {
    agent: makeAgent({ approval: { approvers: 'Others', onTimeout: 'Reject' } }, 'False'),
    want: 'AgentNotReady',
  },
  'one that was deleted does, though it was Ready until then': {
    agent: { ...ready, metadata: { ...ready.metadata, deletionTimestamp: ago(1) } },
    want: 'AgentNotReady',
  },
};

const QUESTION = { number: 1, prompt: 'Pay?', attempt: 1, askedAt: ago(60) };

const PAUSES: Readonly<Record<string, { readonly run: Run; readonly want: string | undefined }>> = {
  'a suspended Run does': { run: makeRun({ suspend: true }), want: 'Suspended' },
  'one whose last attempt failed just now does': {
    run: makeRun({}, { phase: 'Queued', retries: { spent: 1, limit: 2, notBefore: ago(-5) } }),
    want: 'RetryBackoff',
  },
  'one that waits for an answer does': {
    run: makeRun({}, { phase: 'Queued', question: QUESTION }),
    want: 'InputRequired',
  },
  'one whose question is answered does not': {
    run: makeRun({}, { phase: 'Queued', question: { ...QUESTION, answeredAt: ago(1) } }),
    want: undefined,
  },
  'one that was tried again before does not': {
    run: makeRun({}, { phase: 'Queued', retries: { spent: 1, limit: 2 } }),
    want: undefined,
  },
};

for (const [sentence, { run, want }] of Object.entries(PAUSES)) {
  test(sentence, (t) => {
    const agents = new Map([['acme-dev/agent', ready]]);
    const context = { agents, gpuClasses: new Map(), containerDefaults: undefined };
    t.is(candidateOf(run, context).blocked?.reason, want);
  });
}

for (const [sentence, { agent, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const agents = new Map(agent === undefined ? [] : [['acme-dev/agent', agent]]);
    const context = { agents, gpuClasses: new Map(), containerDefaults: undefined };
    t.is(candidateOf(makeRun(), context).blocked?.reason, want);
  });
}

const STYLED = makeAgent({ parameters: [{ name: 'style', required: false, default: 'short' }] });
const GIVEN: Readonly<
  Record<string, { readonly run?: Run; readonly agent?: Agent; readonly want: boolean }>
> = {
  'a Run that is given nothing takes no ConfigMap': { want: false },
  'one whose question was answered takes one': {
    run: makeRun({}, { phase: 'Queued', question: { ...QUESTION, answeredAt: ago(1) } }),
    want: true,
  },
  'one with input takes one': { run: makeRun({ input: { inline: '{}' } }), want: true },
  'one with input of a ConfigMap takes another': {
    run: makeRun({ input: { configMapKeyRef: { name: 'data', key: 'doc' } } }),
    want: true,
  },
  'one with input of a Secret does not': {
    run: makeRun({ input: { secretKeyRef: { name: 'data', key: 'doc' } } }),
    want: false,
  },
  'one with parameters takes one': { run: makeRun({ parameters: { topic: 'q3' } }), want: true },
  'one with a default of its Agent takes one': { agent: STYLED, want: true },
};

for (const [sentence, { run = makeRun(), agent = ready, want }] of Object.entries(GIVEN)) {
  test(sentence, (t) => {
    const context = { agents: new Map(), gpuClasses: new Map(), containerDefaults: undefined };
    t.is(demandOf(run, agent, context).get('count/configmaps'), want ? 1000n : undefined);
  });
}

const NEWER = { ...ready, metadata: { ...ready.metadata, generation: 2 } };
const THEN = makeAgent({
  container: { image: 'registry.example.com/agent:0' },
  gpu: { class: 'h100', count: 2 },
});
const REFUSED = { reason: 'NeverFits', message: 'spec.gpu.count: too many' };
const NOT_READY = makeAgent({}, 'False');
const CURRENT = ready.status?.activeRevision?.name ?? '';
const bound = makeRun({}, { phase: 'Queued', attempt: 1, revision: { name: 'agent-old', number: 1 } });

interface PinCase {
  readonly run: Run;
  readonly agent?: Agent;
  readonly refusal?: typeof REFUSED;
  readonly isGone?: true;
  readonly want?: string;
  readonly says?: RegExp;
  readonly gpu?: { readonly class: string; readonly count: number };
}

const PINS: Readonly<Record<string, PinCase>> = {
  'a Run that is tried again takes what its revision takes': { run: bound, gpu: { class: 'h100', count: 2 } },
  'so does one that names the revision': {
    run: makeRun({ revision: 'agent-old' }),
    gpu: { class: 'h100', count: 2 },
  },
  'what it is bound to counts, and not what it names': {
    run: { ...bound, spec: { ...bound.spec, revision: 'agent-x' } },
    gpu: { class: 'h100', count: 2 },
  },
  'that the Agent is not Ready as it is now does not matter to it': {
    run: bound,
    agent: NOT_READY,
    gpu: { class: 'h100', count: 2 },
  },
  'that it was not checked since a change neither': {
    run: bound,
    agent: NEWER,
    gpu: { class: 'h100', count: 2 },
  },
  'a revision that would be refused now holds it up': {
    run: bound,
    refusal: REFUSED,
    want: 'AgentNotReady',
    says: /not Ready at AgentRevision agent-old: spec\.gpu\.count/,
    gpu: { class: 'h100', count: 2 },
  },
  'one that is not there does': {
    run: bound,
    isGone: true,
    want: 'RevisionNotFound',
    says: /status\.revision\.name/,
  },
  'one that it names and is not there does': {
    run: makeRun({ revision: 'agent-old' }),
    isGone: true,
    want: 'RevisionNotFound',
    says: /spec\.revision: .* no AgentRevision agent-old/,
  },
  'so does one of another Agent, also when a Run of that one is bound to it': {
    run: makeRun({ agentRef: { name: 'other' }, revision: 'agent-old' }),
    want: 'RevisionNotFound',
    says: /Agent other has no AgentRevision agent-old/,
  },
  'of the active revision, the Agent itself is asked': {
    run: makeRun({ revision: CURRENT }),
    agent: NOT_READY,
    want: 'AgentNotReady',
  },
};

for (const [sentence, { run, agent = ready, refusal, isGone, want, says, gpu }] of Object.entries(PINS)) {
  test(`bound to a revision: ${sentence}`, (t) => {
    const context = {
      agents: new Map([
        ['acme-dev/agent', agent],
        ['acme-dev/other', ready],
      ]),
      revisions: new Map(isGone ? [] : [['acme-dev/agent/agent-old', { agent: THEN, refusal }]]),
      gpuClasses: new Map(),
      containerDefaults: undefined,
    };
    const candidate = candidateOf(run, context);
    t.is(candidate.blocked?.reason, want);
    t.deepEqual(candidate.gpu, gpu);
    if (says !== undefined) t.regex(candidate.blocked?.message ?? '', says);
  });
}

test('a Run that is bound to no revision is reserved for at the one that is active, and one that is for none', (t) => {
  const agents = new Map([['acme-dev/agent', ready]]);
  const context = { agents, gpuClasses: new Map(), containerDefaults: undefined };
  t.is(`agent-${candidateOf(makeRun(), context).revision}`, CURRENT);
  t.is(candidateOf(makeRun({ revision: CURRENT }), context).revision, undefined);
  t.is(candidateOf(bound, context).revision, undefined);
});
