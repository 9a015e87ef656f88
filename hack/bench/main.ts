// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from 'node:util';
import { measureAdded } from './added.ts';
import { type BenchEnvironment, withEnvironment } from './environment.ts';
import { measureFailover } from './failover.ts';
import { measureGrowth } from './growth.ts';
import { measureHostile } from './hostile.ts';
import { measureImageFleet, measureImages } from './images.ts';
import { measureLatency } from './latency.ts';
import { measureNeighbour } from './neighbour.ts';
import { measurePolicy } from './policy.ts';
import { measureRuns } from './runs.ts';
import { type Figure, keepsBar, toMarkdown } from './report.ts';
import { measureRollback } from './rollback.ts';
import { measureScale } from './scale.ts';
import { measureShards } from './shards.ts';
import { measureTenants } from './tenants.ts';
import { measureWebhook } from './webhook.ts';

const USAGE = `npm run bench -- [measurement ...] [--tenants N] [--runs N] [--images N] [--tries N] [--seconds N] [--beside PROGRAM] [--json]

Measurements: policy, tenants, latency, failover, shards, runs, webhook, added, rollback, hostile, images, image-fleet, image-scale, neighbour, scale, growth; or all. Each
has a control plane of its own, but for policy and images, which need none.
Default: all but scale (10,000 live Runs), growth (20,000 Runs) and image-scale (10,000 images of 200 tenants), which take some minutes more each.
--beside has added measure the admission process that PROGRAM starts as well; hack/bench/README.md says what it has to do.
--tenants, --runs, --images, --tries (of rollback: 50; rounds of added: 12) and --seconds (of hostile: 10) are for all measurements that are named: smaller ones
while you work on something.`;

/** What the command line says; a measurement has its own sizes where nothing is said. */
interface Sizes {
  readonly tenants: number | undefined;
  readonly runs: number | undefined;
  readonly images: number | undefined;
  readonly tries: number | undefined;
  readonly seconds: number | undefined;
  readonly beside: string | undefined;
  readonly tell: (text: string) => void;
}

type Measurement = () => Promise<readonly Figure[]>;

/** A measurement on a control plane of its own. */
function on(measure: (environment: BenchEnvironment) => Promise<readonly Figure[]>): Measurement {
  return () => withEnvironment(measure);
}

function measurements(sizes: Sizes): Readonly<Record<string, Measurement>> {
  const { tenants, runs, images, tries, seconds, beside, tell } = sizes;
  return {
    policy: measurePolicy,
    tenants: on((environment) => measureTenants(environment, tenants ?? 1000)),
    latency: on((environment) => measureLatency(environment, 200)),
    failover: on((environment) => measureFailover(environment, 5)),
    shards: on((environment) => measureShards(environment, { runs: runs ?? 1000, rounds: 3 })),
    runs: on((environment) => measureRuns(environment, runs ?? 3000)),
    webhook: on((environment) => measureWebhook(environment, runs ?? 400)),
    added: on((environment) => measureAdded(environment, { rounds: tries ?? 12, beside })),
    rollback: on((environment) => measureRollback(environment, tries ?? 50)),
    hostile: on((environment) => measureHostile(environment, seconds ?? 10)),
    images: measureImages,
    'image-fleet': on((environment) =>
      measureImageFleet(environment, { tenants: tenants ?? 4, images: images ?? 1000 }),
    ),
    neighbour: on((environment) => measureNeighbour(environment, runs ?? 5000)),
    'image-scale': on((environment) =>
      measureImageFleet(environment, { tenants: tenants ?? 200, images: images ?? 10_000 }),
    ),
    scale: on((environment) => measureScale(environment, { tenants: tenants ?? 1000, runs: runs ?? 10_000 })),
    growth: on((environment) => measureGrowth(environment, { runs: runs ?? 20_000, tell })),
  };
}

/** Those that are left out unless they are named: they take longer than all the others. */
const LONG: ReadonlySet<string> = new Set(['scale', 'growth', 'image-scale']);

interface Wanted {
  readonly chosen: readonly (readonly [string, Measurement])[];
  readonly asJson: boolean;
}

/** What the command line asks for; throws with the usage when it cannot be understood. */
function readArguments(): Wanted {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tenants: { type: 'string' },
      runs: { type: 'string' },
      images: { type: 'string' },
      tries: { type: 'string' },
      seconds: { type: 'string' },
      beside: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const known = measurements({
    tenants: countOf('tenants', values.tenants),
    runs: countOf('runs', values.runs),
    images: countOf('images', values.images),
    tries: countOf('tries', values.tries),
    seconds: countOf('seconds', values.seconds),
    beside: values.beside,
    tell: values.json ? () => undefined : (text) => console.log(`\n${text}`),
  });
  const names = namesOf(positionals, Object.keys(known));
  const chosen = names.map((name) => {
    const measure = known[name];
    if (measure === undefined) throw new Error(`there is no measurement ${name}\n\n${USAGE}`);
    return [name, measure] as const;
  });
  return { chosen, asJson: values.json };
}

function namesOf(asked: readonly string[], known: readonly string[]): readonly string[] {
  if (asked.length === 1 && asked[0] === 'all') return known;
  return asked.length > 0 ? asked : known.filter((name) => !LONG.has(name));
}

function countOf(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${option} is ${value}\n\n${USAGE}`);
  return count;
}

async function main(): Promise<number> {
  const { chosen, asJson } = readArguments();
  const figures: Figure[] = [];
  for (const [name, measure] of chosen) {
    if (!asJson) console.log(`measuring ${name} ...`);
    figures.push(...(await measure()));
  }
  console.log(asJson ? JSON.stringify(figures, undefined, 2) : toMarkdown(figures));
  return figures.some((figure) => keepsBar(figure) === false) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
