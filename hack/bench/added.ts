// SPDX-License-Identifier: Apache-2.0
import { addedFigures, type Answers, type Asked } from './added-figures.ts';
import { type AddedWorld, openAddedWorld, TENANT_OF, tryPod } from './added-world.ts';
import type { BenchEnvironment } from './environment.ts';
import { benchPod } from './policy-packs.ts';
import { componentPid, startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { CONNECTIONS } from './review-sender.ts';
import { namespaceOf } from './run-world.ts';
import { inParallel } from './statistics.ts';

/** Dry runs in a turn. */
const IN_A_TURN = 200;
/** Rounds before those that count: code is compiled meanwhile. */
const WARM_UP = 2;

/** What is measured. */
export interface AddedOptions {
  /** In each of them everybody has a turn. */
  readonly rounds: number;
  /** A program that starts somebody else's admission process, to be measured as well. */
  readonly beside: string | undefined;
}

/**
 * What it adds to the dry run of a pod that it is judged by sixteen rules of the platform and five of a tenant: by turns nobody is asked, NexusOS,
 * and who else is wanted, on one control plane.
 */
export async function measureAdded(
  environment: BenchEnvironment,
  { rounds, beside }: AddedOptions,
): Promise<readonly Figure[]> {
  const world = await openAddedWorld(environment, beside);
  try {
    const pids = {
      'API server': await componentPid(environment.cluster, 'kube-apiserver'),
      ...world.pids,
    };
    const figures: Figure[] = [];
    for (const connections of [1, CONNECTIONS]) {
      const measured = await inRounds({ environment, world, pids }, { rounds, connections });
      figures.push(...addedFigures(measured, { connections, hasBars: connections === CONNECTIONS }));
    }
    return figures;
  } finally {
    await world.close();
  }
}

interface Course {
  readonly environment: BenchEnvironment;
  readonly world: AddedWorld;
  readonly pids: Readonly<Record<string, number>>;
}

async function inRounds(
  course: Course,
  { rounds, connections }: { readonly rounds: number; readonly connections: number },
): Promise<ReadonlyMap<Asked, Answers>> {
  const { asked } = course.world;
  const measured = new Map<Asked, Answers>();
  for (let round = -WARM_UP; round < rounds; round += 1) {
    // What comes after what is not always the same.
    for (const at of asked.keys()) {
      const one = asked[(at + round + WARM_UP) % asked.length] ?? 'nobody';
      const turn = await takeTurn(course, one, connections);
      if (round < 0) continue;
      const before = measured.get(one);
      if (before === undefined) measured.set(one, turn);
      else addTo(before, turn);
    }
  }
  return new Map(asked.map((one) => [one, measured.get(one) ?? { milliseconds: [], spent: new Map() }]));
}

async function takeTurn({ environment, pids }: Course, asked: Asked, connections: number): Promise<Answers> {
  const pod = benchPod(namespaceOf(TENANT_OF[asked]));
  const milliseconds: number[] = [];
  const timer = await startTimer(pids);
  await inParallel(Array.from({ length: IN_A_TURN }), connections, async () => {
    const startedAt = performance.now();
    await tryPod(environment, pod);
    milliseconds.push(performance.now() - startedAt);
  });
  // Of one thing: all of them together.
  return { milliseconds, spent: new Map(await timer.perThing(1)) };
}

function addTo(sum: Answers, { milliseconds, spent }: Answers): void {
  sum.milliseconds.push(...milliseconds);
  for (const [program, ms] of spent) sum.spent.set(program, (sum.spent.get(program) ?? 0) + ms);
}
