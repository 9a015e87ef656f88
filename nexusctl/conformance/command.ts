// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { allOf } from '#operator/rego/gatekeeper/problem';
import { gatekeeperPack } from '#operator/rego/gatekeeper/pack';
import { opaTools } from '#operator/rego/gatekeeper/opa-tools';
import { problemText } from '#operator/rego/gatekeeper/problem';
import { isTemplate, readTemplate, type SourceDocument } from '#operator/rego/gatekeeper/template';
import { argumentAt, type Call, type Command, CommandError, EXIT, type Outcome } from '../cli/command.ts';
import { type Compiler, OPA_FLAG, openCompiler } from '../pack/compiler.ts';
import { documentsAt } from '../pack/documents.ts';
import type { Judge } from '../pack/judge.ts';
import { type CaseResult, judgeOf, runSuite } from './run.ts';
import { isSuite, readSuite, type Suite } from './suite.ts';

/** `nexusctl pack conformance FOLDER`. */
export const CONFORMANCE: Command = {
  path: ['pack', 'conformance'],
  summary: 'runs the suites of a Gatekeeper folder through our compiler and our host',
  about:
    'Reads every suite.yaml below the folder, as `gator verify` does, and says of each case whether what is found is what the suite expects. The folder is only read: try it with a copy of gatekeeper-library.',
  args: [{ name: 'FOLDER', what: 'holds suites, and the templates, constraints and objects that they name' }],
  flags: [
    { name: 'merged', what: 'all templates in one module, as in a pack, instead of a module each' },
    { name: 'all', what: 'lists every case, and not only those that differ' },
    OPA_FLAG,
  ],
  examples: [
    'pack conformance ~/gatekeeper-library/library',
    'pack conformance ~/gatekeeper-library/library --merged',
  ],
  run: conformance,
};

async function conformance(call: Call): Promise<Outcome> {
  const folder = resolve(call.cwd, argumentAt(call, 0));
  const documents = await documentsAt(folder);
  const suites = documents.filter(isSuite).map(readSuite);
  if (suites.length === 0)
    throw new CommandError(
      EXIT.usage,
      `there is no suite below ${folder}: no document of kind Suite of test.gatekeeper.sh`,
    );
  const compiler = await openCompiler(call);
  const tools = opaTools(compiler.run);
  const merged =
    call.flags['merged'] === true ? await mergedJudge(suites, { documents, compiler }) : undefined;
  const now = new Date();
  const results: CaseResult[] = [];
  for (const suite of suites)
    results.push(...(await runSuite(suite, { folder, compiler, tools, merged, now })));
  return outcomeOf(results, call.flags['all'] === true);
}

/** All templates that suites name, in one module. */
async function mergedJudge(
  suites: readonly Suite[],
  { documents, compiler }: { readonly documents: readonly SourceDocument[]; readonly compiler: Compiler },
): Promise<Judge> {
  const named = new Set(
    suites.flatMap((suite) => suite.tests.map((test) => `${folderOf(suite.file)}${test.template}`)),
  );
  const templates = documents.filter((one) => isTemplate(one) && named.has(one.file));
  const read = allOf(templates.map(readTemplate));
  const made =
    read.kind === 'refused'
      ? read
      : await gatekeeperPack({ templates, constraints: [], inventory: [] }, opaTools(compiler.run));
  if (made.kind === 'ok') return judgeOf(made.value, { compiler });
  throw new CommandError(EXIT.usage, 'the templates cannot be put together', made.problems.map(problemText));
}

function folderOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.lastIndexOf('/') + 1) : '';
}

function outcomeOf(results: readonly CaseResult[], isAll: boolean): Outcome {
  const count = (outcome: CaseResult['outcome']) => results.filter((one) => one.outcome === outcome).length;
  const summary = {
    cases: results.length,
    agree: count('agrees'),
    differ: count('differs'),
    skipped: count('skipped'),
  };
  const micros = results.flatMap((one) => one.micros ?? []).toSorted((a, b) => a - b);
  const at = (share: number) => micros[Math.min(Math.floor(micros.length * share), micros.length - 1)] ?? 0;
  const shown = results.filter((one) => isAll || one.outcome !== 'agrees');
  return {
    code: summary.differ === 0 ? EXIT.ok : EXIT.no,
    value: { ...summary, micros: { p50: at(0.5), p95: at(0.95), most: at(1) }, results },
    table: {
      head: ['SUITE', 'TEST', 'CASE', 'OUTCOME', 'WHY'],
      rows: shown.map((one) => [one.suite, one.test, one.case, one.outcome, one.why ?? '']),
    },
    after: [
      `${summary.cases} cases: ${summary.agree} agree, ${summary.differ} differ, ${summary.skipped} skipped; an evaluation took ${at(0.5)} µs (p50), ${at(0.95)} µs (p95)`,
    ],
  };
}
