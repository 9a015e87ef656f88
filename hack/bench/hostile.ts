// SPDX-License-Identifier: Apache-2.0
import { Agent, type Dispatcher, request } from 'undici';
import type { KubeObject, Resource } from '#operator/core/object';
import { installChart } from '../system/chart.ts';
import { startOperator } from '../system/operator-process.ts';
import { WebhookSystem } from '../system/webhook-process.ts';
import { type BenchEnvironment, isReady } from './environment.ts';
import type { Figure } from './report.ts';
import { makeTenants, namespaceOf } from './run-world.ts';
import { percentile } from './statistics.ts';
import { secondsUntilDone } from './until-done.ts';

const QUIET = 'quiet';
const HOSTILE = 'hostile';
/** Packs of each kind of harm: all are asked about each request, and three failures put one away. */
const EACH = 10;
const ATTACKERS = 8;
const WARM_UP = 300;
const TURNS = 5;
const PACKS: Resource = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'PolicyPack',
  plural: 'policypacks',
  namespaced: true,
};
/** Each only for what is labelled so: what fails always is found when it is verified. */
const HARM: Readonly<Record<string, string>> = {
  loop: 'some a in numbers.range(1, 500); some b in numbers.range(1, 500); some c in numbers.range(1, 500); a * b == c + 1000000000',
  memory:
    'count({s | some a in numbers.range(1, 5000); some b in numbers.range(1, 5000); s := sprintf("%d-%d-%s", [a, b, input.review.name])}) == 0',
  regex:
    'some i in numbers.range(1, 500); regex.match(sprintf("^((a+)+)+b{%d}$", [i]), input.review.object.metadata.annotations.long)',
};
const SOUND = 'startswith(input.review.name, "refused")';

/** What a tenant waits for the answers of one process, alone, and beside another whose rules do whatever they can. */
export async function measureHostile(
  environment: BenchEnvironment,
  seconds: number,
): Promise<readonly Figure[]> {
  const { cluster } = environment;
  const webhooks = await WebhookSystem.open(cluster);
  await installChart(cluster, { values: { webhooks: webhooks.values } });
  const operator = await startOperator(cluster);
  const dispatcher = new Agent({ allowH2: false, connect: { rejectUnauthorized: false } });
  try {
    const { port } = await webhooks.start();
    await makeTenants(environment, [QUIET, HOSTILE]);
    await makePacks(environment);
    const ask = (tenant: string, isBad: boolean) => review({ dispatcher, port }, tenant, isBad);
    for (let i = 0; i < WARM_UP; i += 1) await ask(QUIET, false);
    const { alone, beside, answers } = await inTurns(seconds, ask);
    return [
      ...latencies('review of a tenant over HTTPS, alone', alone),
      ...latencies(`the same beside ${EACH * 3} packs of another that do harm`, beside, 10),
      {
        name: 'p99 beside them, against alone',
        value: percentile(beside, 0.99) / percentile(alone, 0.99),
        unit: 'times',
        bar: { atMost: 1.5 },
      },
      { name: 'answers that the other had meanwhile', value: answers / seconds, unit: '/s' },
    ];
  } finally {
    await dispatcher.close();
    await operator.stop();
    await webhooks.stop();
  }
}

/** Alone and beside them by turns: what the machine does meanwhile is in both. */
async function inTurns(seconds: number, ask: (tenant: string, isBad: boolean) => Promise<boolean>) {
  const [alone, beside]: [number[], number[]] = [[], []];
  let answers = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    alone.push(...(await asksFor(seconds / TURNS, () => ask(QUIET, false))));
    const attack = new Attack(() => ask(HOSTILE, true));
    beside.push(...(await asksFor(seconds / TURNS, () => ask(QUIET, false))));
    answers += await attack.stop();
  }
  return { alone, beside, answers };
}

function latencies(name: string, samples: readonly number[], atMost?: number): readonly Figure[] {
  return [
    { name: `${name}: p50`, value: percentile(samples, 0.5), unit: 'ms' },
    {
      name: '... p99',
      value: percentile(samples, 0.99),
      unit: 'ms',
      ...(atMost !== undefined && { bar: { atMost } }),
    },
  ];
}

async function makePacks({ client }: BenchEnvironment): Promise<void> {
  const bad = Object.entries(HARM).flatMap(([name, condition]) =>
    Array.from({ length: EACH }, (_, i) =>
      packOf(HOSTILE, `${name}-${i}`, `input.review.object.metadata.labels.bad == "yes"; ${condition}`),
    ),
  );
  const objects = [packOf(QUIET, 'sound', SOUND), ...bad];
  await secondsUntilDone(client, { width: 4, resource: PACKS, objects, isDone: isReady });
}

function packOf(tenant: string, name: string, condition: string): KubeObject {
  const rego = `package p\n\ndeny contains "${name}" if { ${condition} }\n`;
  return {
    apiVersion: PACKS.apiVersion,
    kind: PACKS.kind,
    metadata: { name, namespace: namespaceOf(tenant) },
    spec: {
      version: '1.0.0',
      source: { inline: { modules: { 'p.rego': rego } } },
      binding: { rules: [{ apiGroups: [''], resources: ['services'] }] },
      rollout: { shadowSeconds: 0 },
      evaluation: { memoryMiB: 64 },
    },
  };
}

/** One after the other, for so long; how long each took, in milliseconds. */
async function asksFor(seconds: number, ask: () => Promise<boolean>): Promise<readonly number[]> {
  const samples: number[] = [];
  const endsAt = performance.now() + seconds * 1000;
  while (performance.now() < endsAt) {
    const startedAt = performance.now();
    if (!(await ask())) throw new Error('a tenant that does no harm was refused');
    samples.push(performance.now() - startedAt);
  }
  return samples;
}

/** Asks as fast as it is answered, over several connections. */
class Attack {
  readonly #loops: readonly Promise<number>[];
  #isOver = false;

  constructor(ask: () => Promise<unknown>) {
    const loop = async (): Promise<number> => {
      let count = 0;
      for (; !this.#isOver; count += 1) await ask();
      return count;
    };
    this.#loops = Array.from({ length: ATTACKERS }, loop);
  }

  /** Ends it; how many answers it had. */
  async stop(): Promise<number> {
    this.#isOver = true;
    const counts = await Promise.all(this.#loops);
    return counts.reduce((sum, one) => sum + one, 0);
  }
}

/** Whether a Service may be made. */
async function review(
  { dispatcher, port }: { readonly dispatcher: Dispatcher; readonly port: number },
  tenant: string,
  isBad: boolean,
): Promise<boolean> {
  const namespace = namespaceOf(tenant);
  const annotations = { long: 'a'.repeat(isBad ? 20_000 : 20) };
  const metadata = { name: 'web', namespace, annotations, labels: isBad ? { bad: 'yes' } : {} };
  const body = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '5f2a9c01-d3aa-4b1e-9a44-0123456789ab',
      kind: { group: '', version: 'v1', kind: 'Service' },
      resource: { group: '', version: 'v1', resource: 'services' },
      name: 'web',
      namespace,
      operation: 'CREATE',
      userInfo: { username: `${tenant}-admin`, groups: ['system:authenticated'] },
      object: { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } },
    },
  };
  const answer = await request(`https://127.0.0.1:${port}/validate?timeout=3s`, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.body.text();
  return text.includes('"allowed":true');
}
