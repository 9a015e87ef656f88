// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from 'node:util';
import { type BenchEnvironment, withEnvironment } from './environment.ts';
import { measureFailover } from './failover.ts';
import { measureLatency } from './latency.ts';
import { type Figure, keepsBar, toMarkdown } from './report.ts';
import { measureTenants } from './tenants.ts';

const USAGE = `npm run bench -- [measurement ...] [--tenants N] [--json]

Measurements: tenants, latency, failover. Default: all. Each has a control plane of its own.`;

type Measurement = (environment: BenchEnvironment) => Promise<readonly Figure[]>;

function measurements(tenants: number): Readonly<Record<string, Measurement>> {
  return {
    tenants: (environment) => measureTenants(environment, tenants),
    latency: (environment) => measureLatency(environment, 200),
    failover: (environment) => measureFailover(environment, 5),
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
    options: { tenants: { type: 'string', default: '1000' }, json: { type: 'boolean', default: false } },
  });
  const tenants = Number(values.tenants);
  if (!Number.isInteger(tenants) || tenants < 1)
    throw new Error(`--tenants is ${values.tenants}\n\n${USAGE}`);
  const known = measurements(tenants);
  const names = positionals.length > 0 ? positionals : Object.keys(known);
  const chosen = names.map((name) => {
    const measure = known[name];
    if (measure === undefined) throw new Error(`there is no measurement ${name}\n\n${USAGE}`);
    return [name, measure] as const;
  });
  return { chosen, asJson: values.json };
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
