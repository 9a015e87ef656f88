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
  'one that was deleted does, though it was Ready until then': {
    agent: { ...ready, metadata: { ...ready.metadata, deletionTimestamp: ago(1) } },
    want: 'AgentNotReady',
  },
};

const PAUSES: Readonly<Record<string, { readonly run: Run; readonly want: string | undefined }>> = {
  'a suspended Run does': { run: makeRun({ suspend: true }), want: 'Suspended' },
  'one whose last attempt failed just now does': {
    run: makeRun({}, { phase: 'Queued', retries: { spent: 1, limit: 2, notBefore: ago(-5) } }),
    want: 'RetryBackoff',
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
