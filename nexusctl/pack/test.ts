// SPDX-License-Identifier: Apache-2.0
import { relative, resolve } from 'node:path';
import type { Coverage } from '#operator/rego/coverage';
import { testPack } from '#operator/rego/pack-tests';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { type CaseOutcome, runCase } from './cases.ts';
import { type Compiler, OPA_FLAG, openCompiler } from './compiler.ts';
import { readDocuments } from './documents.ts';
import { type LocalPack, readPack } from './folder.ts';
import { openPack } from './verdict.ts';

/** `nexusctl pack test FOLDER`. */
export const TEST: Command = {
  path: ['pack', 'test'],
  summary: 'runs the tests of a pack and its cases, as a cluster would',
  about:
    'Runs *_test.rego by the compiler with its coverage, then compiles the pack, checks the module as a cluster does, and asks it about every document of cases/*.yaml.',
  args: [{ name: 'FOLDER', what: 'the pack: a folder with manifest.yaml, or a manifest with its source' }],
  flags: [
    {
      name: 'min-coverage',
      value: 'PERCENT',
      what: 'lines of rules that tests must reach; else what the manifest says',
    },
    OPA_FLAG,
  ],
  examples: ['pack test image-tags', 'pack test image-tags -o json'],
  run: test,
};

const TIMEOUT_MS = 60_000;

async function test(call: Call): Promise<Outcome> {
  const pack = await readPack(resolve(call.cwd, argumentAt(call, 0)));
  const wanted = percentOf(flagValue(call, 'min-coverage'), pack);
  const compiler = await openCompiler(call);
  const tests = await runTests(pack, compiler);
  const ready = await openPack(pack, compiler);
  const files = await Promise.all(pack.cases.map((one) => readDocuments(one, relative(call.cwd, one))));
  const cases = files.flat().map((one) => runCase(ready, one));
  return outcomeOf({ tests, cases, wanted });
}

function percentOf(given: string | undefined, { spec }: LocalPack): number {
  if (given === undefined) return spec.tests.minCoveragePercent;
  const percent = Number(given);
  if (Number.isInteger(percent) && percent >= 0 && percent <= 100) return percent;
  throw new CommandError(EXIT.usage, `--min-coverage is ${given}; it can be a whole number from 0 to 100`);
}

interface Tests {
  readonly count: number;
  readonly coverage: Coverage | undefined;
}

async function runTests(pack: LocalPack, { run, capabilities }: Compiler): Promise<Tests> {
  const told = await testPack(pack.source, { run, capabilities, roots: [''], timeoutMs: TIMEOUT_MS });
  if (told.kind === 'failed')
    throw new CommandError(
      EXIT.no,
      told.reason === 'TestsFailed' ? told.message : `${told.reason}: ${told.message}`,
    );
  return { count: told.tests, coverage: told.coverage };
}

interface Results {
  readonly tests: Tests;
  readonly cases: readonly CaseOutcome[];
  readonly wanted: number;
}

function outcomeOf({ tests, cases, wanted }: Results): Outcome {
  const { count, coverage: found } = tests;
  const coveragePercent = found?.percent;
  const missed = found?.missed ?? [];
  const failed = cases.filter((one) => !one.passed);
  const reached = coveragePercent ?? 0;
  const isCovered = reached >= wanted;
  const coverage =
    coveragePercent === undefined ? 'no coverage' : `${coveragePercent} % of the lines of rules reached`;
  const short = isCovered ? [] : [`too little: ${wanted} % are wanted`];
  return {
    code: failed.length === 0 && isCovered ? EXIT.ok : EXIT.no,
    value: { tests: count, coveragePercent, minCoveragePercent: wanted, missed, cases },
    before: [
      [`${count} tests passed`, coverage, ...short].join(', '),
      ...(missed.length === 0 ? [] : [`no test reaches ${missed.join(', ')}`]),
    ],
    table: {
      head: ['CASE', 'RESULT', 'WHY'],
      rows: cases.map(({ name, passed, why }) => [name, passed ? 'passed' : 'failed', why]),
    },
    after: [`${cases.length - failed.length} of ${cases.length} cases passed`],
  };
}
