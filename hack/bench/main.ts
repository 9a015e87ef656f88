// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from 'node:util';
import { type BenchEnvironment, withEnvironment } from './environment.ts';
import { measureFailover } from './failover.ts';
import { measureLatency } from './latency.ts';
import { measureRuns } from './runs.ts';
import { type Figure, keepsBar, toMarkdown } from './report.ts';
import { measureTenants } from './tenants.ts';

const USAGE = `npm run bench -- [measurement ...] [--tenants N] [--runs N] [--json]

Measurements: tenants, latency, failover, runs. Default: all. Each has a control plane of its own.`;

interface Sizes {
  readonly tenants: number;
  readonly runs: number;
}

type Measurement = (environment: BenchEnvironment) => Promise<readonly Figure[]>;

function measurements({ tenants, runs }: Sizes): Readonly<Record<string, Measurement>> {
  return {
    tenants: (environment) => measureTenants(environment, tenants),
    latency: (environment) => measureLatency(environment, 200),
    failover: (environment) => measureFailover(environment, 5),
    runs: (environment) => measureRuns(environment, runs),
  };
}

interface Wanted {
  readonly chosen: readonly (readonly [string, Measurement])[];
  readonly asJson: boolean;
}

/** What the command line asks for; throws with the usage when it cannot be understood. */
function readArguments(): Wanted {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tenants: { type: 'string', default: '1000' },
      runs: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
    },
  });
  const known = measurements({
    tenants: countOf('tenants', values.tenants),
    runs: countOf('runs', values.runs),
  });
  const names = positionals.length > 0 ? positionals : Object.keys(known);
  const chosen = names.map((name) => {
    const measure = known[name];
    if (measure === undefined) throw new Error(`there is no measurement ${name}\n\n${USAGE}`);
    return [name, measure] as const;
  });
  return { chosen, asJson: values.json };
}

function countOf(option: string, value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${option} is ${value}\n\n${USAGE}`);
  return count;
}

async function main(): Promise<number> {
  const { chosen, asJson } = readArguments();
  const figures: Figure[] = [];
  for (const [name, measure] of chosen) {
    if (!asJson) console.log(`measuring ${name} ...`);
    figures.push(...(await withEnvironment(measure)));
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
