// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import { installChart } from '../system/chart.ts';
import { startOperator } from '../system/operator-process.ts';
import { WebhookSystem } from '../system/webhook-process.ts';
import { type BenchEnvironment, isReady } from './environment.ts';
import { LoudAsker } from './loud-asker.ts';
import type { Figure } from './report.ts';
import { makeTenants, namespaceOf } from './run-world.ts';
import { percentile } from './statistics.ts';
import { dispatcherToAnybody, mayMake } from './tenant-review.ts';
import { secondsUntilDone } from './until-done.ts';

const QUIET = 'quiet';
const HOSTILE = 'hostile';
/** As loud as the hostile one, with as many packs, which do no harm: what is left beside it is the price of the load. */
const LOUD = 'loud';
/** Packs of each kind of harm: all are asked about each request, and three failures put one away. */
const EACH = 10;
const PACKS_OF_ONE = EACH * 3;
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
const IF_BAD = 'input.review.object.metadata.labels.bad == "yes"';
const SOUND = 'startswith(input.review.name, "refused")';

/**
 * What a tenant waits for the answers of one process: alone, beside another that asks as fast as it can, and beside one that does so and whose
 * rules do whatever they can.
 */
export async function measureHostile(
  environment: BenchEnvironment,
  seconds: number,
): Promise<readonly Figure[]> {
  const { cluster } = environment;
  const webhooks = await WebhookSystem.open(cluster);
  await installChart(cluster, { values: { webhooks: webhooks.values } });
  const operator = await startOperator(cluster);
  const dispatcher = dispatcherToAnybody();
  try {
    const { port } = await webhooks.start();
    await makeTenants(environment, [QUIET, LOUD, HOSTILE]);
    await makePacks(environment);
    const ask = () => mayMake({ dispatcher, port }, { namespace: namespaceOf(QUIET), isBad: false });
    for (let i = 0; i < WARM_UP; i += 1) await ask();
    const asker = await LoudAsker.start(port);
    try {
      return figuresOf(await inTurns(seconds, { ask, asker }), seconds);
    } finally {
      // Else its thread would ask on, and keep this process.
      await asker.close();
    }
  } finally {
    await dispatcher.close();
    await operator.stop();
    await webhooks.stop();
  }
}

/** What it waited alone and beside each of two others, and how many answers those had. */
interface Found {
  readonly alone: readonly number[];
  readonly besideLoud: readonly number[];
  readonly besideHostile: readonly number[];
  readonly answers: { readonly loud: number; readonly hostile: number };
}

function figuresOf({ alone, besideLoud, besideHostile, answers }: Found, seconds: number): readonly Figure[] {
  const against = (samples: readonly number[]) => percentile(samples, 0.99) / percentile(alone, 0.99);
  return [
    ...latencies('review of a tenant over HTTPS, alone', alone),
    ...latencies(`the same beside ${PACKS_OF_ONE} packs of one that asks without pause`, besideLoud),
    { name: 'p99 beside them, against alone', value: against(besideLoud), unit: 'times' },
    { name: 'answers that the other had meanwhile', value: answers.loud / seconds, unit: '/s' },
    ...latencies(`the same beside ${PACKS_OF_ONE} packs that do harm`, besideHostile, 10),
    {
      name: 'p99 beside them, against alone',
      value: against(besideHostile),
      unit: 'times',
      bar: { atMost: 1.5 },
    },
    { name: 'answers that the other had meanwhile', value: answers.hostile / seconds, unit: '/s' },
  ];
}

/** Alone and beside them by turns: what the machine does meanwhile is in all. */
async function inTurns(
  seconds: number,
  { ask, asker }: { readonly ask: () => Promise<boolean>; readonly asker: LoudAsker },
): Promise<Found> {
  const [alone, besideLoud, besideHostile]: [number[], number[], number[]] = [[], [], []];
  const answers = { loud: 0, hostile: 0 };
  const turn = () => asksFor(seconds / TURNS, ask);
  for (let count = 0; count < TURNS; count += 1) {
    alone.push(...(await turn()));
    asker.begin(namespaceOf(LOUD));
    besideLoud.push(...(await turn()));
    answers.loud += await asker.end();
    asker.begin(namespaceOf(HOSTILE));
    besideHostile.push(...(await turn()));
    answers.hostile += await asker.end();
  }
  return { alone, besideLoud, besideHostile, answers };
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
    Array.from({ length: EACH }, (_, i) => packOf(HOSTILE, `${name}-${i}`, `${IF_BAD}; ${condition}`)),
  );
  const loud = Array.from({ length: PACKS_OF_ONE }, (_, i) =>
    packOf(LOUD, `sound-${i}`, `${IF_BAD}; ${SOUND}`),
  );
  const objects = [packOf(QUIET, 'sound', SOUND), ...loud, ...bad];
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
