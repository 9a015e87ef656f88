// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import { installChart } from '../system/chart.ts';
import { dispatcherToAnybody } from '../system/direct-review.ts';
import { startOperator } from '../system/operator-process.ts';
import { WebhookSystem } from '../system/webhook-process.ts';
import { type BenchEnvironment, isReady } from './environment.ts';
import { LoudAsker } from './loud-asker.ts';
import type { Begin } from './loud-thread.ts';
import type { Figure } from './report.ts';
import { makeTenants, namespaceOf } from './run-world.ts';
import { percentile } from './statistics.ts';
import { mayMake } from './tenant-review.ts';
import { secondsUntilDone } from './until-done.ts';

const QUIET = 'quiet';
const HOSTILE = 'hostile';
/** It asks over as many connections as the hostile one, with as many packs, which do no harm: what is left beside it is the price of the load. */
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

/** What it waited beside another, in milliseconds, and how many answers that one had. */
interface Beside {
  readonly waited: number[];
  answers: number;
}

function beside(): Beside {
  return { waited: [], answers: 0 };
}

/** What it waited alone and beside others. */
interface Found {
  readonly alone: readonly number[];
  readonly loud: Beside;
  /** The hostile one, which is answered more often: most of its packs are put away. */
  readonly hostile: Beside;
  /** The same, asking as often as the loud one was answered. */
  readonly asOften: Beside;
}

function times(one: readonly number[], other: readonly number[], atMost?: number): Omit<Figure, 'name'> {
  return {
    value: percentile(one, 0.99) / percentile(other, 0.99),
    unit: 'times',
    ...(atMost !== undefined && { bar: { atMost } }),
  };
}

function figuresOf({ alone, loud, hostile, asOften }: Found, seconds: number): readonly Figure[] {
  const answered = ({ answers }: Beside): Figure => ({
    name: 'answers that the other had meanwhile',
    value: answers / seconds,
    unit: '/s',
  });
  const ALONE = 'p99 beside them, against alone';
  const HARM = 'p99 beside them, against one that asks without pause and does no harm';
  return [
    ...latencies('review of a tenant over HTTPS, alone', alone),
    ...latencies(`the same beside ${PACKS_OF_ONE} packs of one that asks without pause`, loud.waited),
    { name: ALONE, ...times(loud.waited, alone) },
    answered(loud),
    ...latencies(`the same beside ${PACKS_OF_ONE} packs that do harm`, hostile.waited, 10),
    { name: ALONE, ...times(hostile.waited, alone) },
    { name: HARM, ...times(hostile.waited, loud.waited, 1.5) },
    answered(hostile),
    ...latencies('the same beside them, asked as often as those that do no harm', asOften.waited, 10),
    { name: ALONE, ...times(asOften.waited, alone) },
    { name: HARM, ...times(asOften.waited, loud.waited, 1.5) },
    answered(asOften),
  ];
}

/** Alone and beside them by turns: what the machine does meanwhile is in all. */
async function inTurns(
  seconds: number,
  { ask, asker }: { readonly ask: () => Promise<boolean>; readonly asker: LoudAsker },
): Promise<Found> {
  const [alone, loud, hostile, asOften] = [[] as number[], beside(), beside(), beside()];
  const turnSeconds = seconds / TURNS;
  const turn = () => asksFor(turnSeconds, ask);
  const turnBeside = async (one: Beside, begin: Begin): Promise<number> => {
    asker.begin(begin);
    one.waited.push(...(await turn()));
    const answers = await asker.end();
    one.answers += answers;
    return answers / turnSeconds;
  };
  for (let count = 0; count < TURNS; count += 1) {
    alone.push(...(await turn()));
    const perSecond = await turnBeside(loud, { namespace: namespaceOf(LOUD) });
    await turnBeside(hostile, { namespace: namespaceOf(HOSTILE) });
    await turnBeside(asOften, { namespace: namespaceOf(HOSTILE), perSecond });
  }
  return { alone, loud, hostile, asOften };
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
