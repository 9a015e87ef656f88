// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import test from 'ava';
import { raw as jq } from 'jq-wasm';
import { AGENT, type AgentSpec } from '#crds/v1alpha1/agent';
import { remote } from '#crds/v1alpha1/agent-remote';
import { AGENT_REVISION } from '#crds/v1alpha1/agent-revision';
import { templateOf, withTemplate } from '#operator/core/agent/template';
import { makeAgent } from '#operator/core/run/testing/make';

/** What the page has people pipe an Agent through. jq reads the revision from a file there, and is given it here. */
function programOfPage(): string {
  const page = readFileSync(new URL('../../docs/how-to/go-back-to-a-revision.md', import.meta.url), 'utf8');
  const [, program = ''] =
    /-o json \\\n {2}\| jq --slurpfile old revision\.json '([^']+)' \\\n {2}\| kubectl replace -f -\n/u.exec(
      page,
    ) ?? [];
  return program;
}

const RICH = {
  description: 'of people',
  tier: 'heavy',
  container: { image: 'r.example.com/a:2', env: [{ name: 'A', value: '1' }], args: ['x'] },
  parameters: [{ name: 'style', required: false, default: 'short' }],
  gpu: { class: 'h100', count: 2 },
  entitlements: { tools: ['search'] },
  dataClassification: 'public',
  limits: { timeoutSeconds: 60, maxRetries: 3, terminationGracePeriodSeconds: 5 },
} satisfies Partial<AgentSpec>;
const CALLS = { agents: ['other'], maxDepth: 1, maxChildren: 1, maxTotal: 1 };

/** Agents of every shape, with as little and as much as they can say. */
const AGENTS: Readonly<Record<string, Partial<AgentSpec>>> = {
  plain: {},
  caller: { ...RICH, calls: CALLS },
  many: { ...RICH, gang: { pods: 4, startTimeoutSeconds: 60 } },
  more: { gang: { pods: 8, startTimeoutSeconds: 900 } },
  service: { shape: 'service' },
  'service that is looked at': {
    shape: 'service',
    service: {
      port: 9000,
      readinessPath: '/ready',
      livenessPath: '/live',
      replicas: { min: 2, max: 5 },
      autoscaling: { cpuUtilizationPercent: 50 },
      rollout: { maxSurge: '50%', maxUnavailable: 0 },
    },
  },
  remote: remoteAgent({}),
  'remote that is told a name': remoteAgent({ tls: { serverName: 'b.example.com' } }),
};

function remoteAgent(more: object): Partial<AgentSpec> {
  const how = remote.parse({ url: 'https://a.example.com/', ...more });
  return { shape: 'remote', container: undefined, remote: how };
}

test('these Agents say all that a template has', (t) => {
  const templates = Object.values(AGENTS).map((spec) => templateOf(makeAgent(spec).spec));
  const said = new Set(templates.flatMap((one) => Object.keys(one)));
  t.deepEqual([...said].toSorted(), Object.keys(AGENT_REVISION.spec.shape.template.shape).toSorted());
});

for (const [was, old] of Object.entries(AGENTS))
  for (const [is, present] of Object.entries(AGENTS))
    test(`the program of the page gives ${is} the template of ${was}, as the operator would`, async (t) => {
      const agent = makeAgent(present);
      const template = templateOf(makeAgent(old).spec);
      const revision = JSON.stringify([{ spec: { template } }]);
      const said = JSON.parse(
        await jq(JSON.stringify(agent), programOfPage(), ['--argjson', 'old', revision]),
      ) as typeof agent;
      const { spec, ...others } = said;
      t.deepEqual(AGENT.spec.parse(spec), withTemplate(agent, template).spec);
      const { spec: _, ...before } = agent;
      t.deepEqual(others, JSON.parse(JSON.stringify(before)));
    });
