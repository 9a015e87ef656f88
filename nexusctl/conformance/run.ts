// SPDX-License-Identifier: Apache-2.0
import { dirname, join, relative } from 'node:path';
import type { KubeObject } from '#operator/core/object';
import type { NamespaceFacts } from '#operator/core/policy/facts';
import { namespaceFacts } from '#operator/core/policy/objects';
import { compilePack, sourceFiles } from '#operator/rego/compile';
import { inventoryOf } from '#operator/rego/gatekeeper/inventory';
import { type JsonObject, objectAt } from '#operator/rego/gatekeeper/json';
import { type GatekeeperPack, gatekeeperPack } from '#operator/rego/gatekeeper/pack';
import type { OpaTools } from '#operator/rego/gatekeeper/opa-tools';
import { problemText } from '#operator/rego/gatekeeper/problem';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';
import { CommandError } from '../cli/command.ts';
import type { Compiler } from '../pack/compiler.ts';
import { readDocuments } from '../pack/documents.ts';
import { type Judge, openJudge } from '../pack/judge.ts';
import { reviewOfObject, reviewOfRequest } from '../pack/review-of.ts';
import { assertionProblem } from './assertion.ts';
import type { Suite, SuiteCase, SuiteTest } from './suite.ts';

/** How a case of a suite came out. */
export interface CaseResult {
  readonly suite: string;
  readonly test: string;
  readonly case: string;
  readonly outcome: 'agrees' | 'differs' | 'skipped';
  /** Why it differs, or was skipped. */
  readonly why?: string;
  readonly micros?: number;
}

/** What a suite is run with. */
export interface RunContext {
  readonly folder: string;
  readonly compiler: Compiler;
  readonly tools: OpaTools;
  /** A module that holds all templates of the folder; else each template has one of its own. */
  readonly merged?: Judge | undefined;
  readonly now: Date;
}

/** Runs all cases of a suite: each is compared with what the suite says, by name. */
export async function runSuite(suite: Suite, context: RunContext): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const test of suite.tests) {
    const place = { suite: suite.file, test: test.name };
    for (const one of await runTest(suite, test, context)) results.push({ ...place, ...one });
  }
  return results;
}

type Bare = Omit<CaseResult, 'suite' | 'test'>;

async function runTest(suite: Suite, test: SuiteTest, context: RunContext): Promise<readonly Bare[]> {
  if (suite.isSkipped || test.isSkipped) return each(test, SKIPPED);
  if (test.expansion !== undefined)
    return each(test, { outcome: 'skipped', why: 'it expands templates, which is not done here' });
  try {
    return await judgeTest(suite, test, context);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return each(test, { outcome: 'differs', why: [error.message, ...error.details].join('; ') });
  }
}

async function judgeTest(suite: Suite, test: SuiteTest, context: RunContext): Promise<readonly Bare[]> {
  const pack = await packOf(suite, test, context);
  const problems = pack.kind === 'refused' ? pack.problems.map(problemText).join('; ') : '';
  if (test.isInvalid && pack.kind === 'refused') return each(test, { outcome: 'agrees', why: problems });
  if (test.isInvalid) return each(test, { outcome: 'differs', why: 'the constraint fits its template' });
  if (pack.kind === 'refused') return each(test, { outcome: 'differs', why: problems });
  const judge = context.merged ?? (await judgeOf(pack.value, context));
  return Promise.all(test.cases.map((one) => runCase(one, { suite, pack: pack.value, judge, context })));
}

/** The same of all cases that are not skipped anyway; a test without any is about its constraint. */
function each({ cases }: SuiteTest, result: Omit<Bare, 'case'>): readonly Bare[] {
  if (cases.length === 0) return [{ case: '(the constraint)', ...result }];
  return cases.map(({ name, isSkipped }) => ({ case: name, ...(isSkipped ? SKIPPED : result) }));
}

const SKIPPED = { outcome: 'skipped', why: 'the suite says so' } as const;

async function packOf(suite: Suite, test: SuiteTest, { folder, tools }: RunContext) {
  const [templates, constraints] = await Promise.all(
    [test.template, test.constraint].map((path) => documentsOf(suite, path, folder)),
  );
  return gatekeeperPack({ templates: templates ?? [], constraints: constraints ?? [], inventory: [] }, tools);
}

function documentsOf(suite: Suite, path: string, folder: string): Promise<readonly SourceDocument[]> {
  const full = join(folder, dirname(suite.file), path);
  return readDocuments(full, relative(folder, full));
}

/** One module for the templates of a pack. */
export async function judgeOf(
  pack: GatekeeperPack,
  { compiler }: Pick<RunContext, 'compiler'>,
): Promise<Judge> {
  const { modules, data, regoVersion } = pack;
  const made = await compilePack({ files: sourceFiles(modules, data), regoVersion }, compiler);
  if (made.kind === 'ok') return openJudge(made.pack);
  throw new CommandError(
    1,
    made.reason,
    made.problems.map(({ file, line, message }) => `${file}:${line}: ${message}`),
  );
}

interface CaseContext {
  readonly suite: Suite;
  readonly pack: GatekeeperPack;
  readonly judge: Judge;
  readonly context: RunContext;
}

async function runCase(one: SuiteCase, { suite, pack, judge, context }: CaseContext): Promise<Bare> {
  const { name, isSkipped, assertions } = one;
  if (isSkipped) return { case: name, ...SKIPPED };
  if (assertions.length === 0) return { case: name, outcome: 'differs', why: 'the case asserts nothing' };
  const [object, ...others] = await documentsOf(suite, one.object, context.folder);
  if (object === undefined || others.length > 0)
    return { case: name, outcome: 'differs', why: `${one.object} must hold one object` };
  const documents = await Promise.all(one.inventory.map((path) => documentsOf(suite, path, context.folder)));
  const inventory = inventoryOf(documents.flat());
  if (inventory.kind === 'refused')
    return { case: name, outcome: 'differs', why: inventory.problems.map(problemText).join('; ') };
  const data = { ...pack.data, inventory: inventory.value };
  const said = ask(judge.withData(new TextEncoder().encode(JSON.stringify(data))), {
    object: object.value,
    namespaces: namespacesIn(documents.flat()),
    now: context.now,
  });
  if ('why' in said) return { case: name, outcome: 'differs', why: said.why };
  const problems = assertions.flatMap((assertion) => assertionProblem(assertion, said.messages) ?? []);
  const { micros } = said;
  if (problems.length === 0) return { case: name, outcome: 'agrees', micros };
  return { case: name, outcome: 'differs', why: problems.join('; '), micros };
}

/** Namespaces of an inventory: there is no cluster to ask. */
function namespacesIn(documents: readonly SourceDocument[]): readonly NamespaceFacts[] {
  return documents
    .filter(({ value }) => value['kind'] === 'Namespace' && value['apiVersion'] === 'v1')
    .map(({ value }) => namespaceFacts(value as unknown as KubeObject));
}

interface Asked {
  readonly object: JsonObject;
  readonly namespaces: readonly NamespaceFacts[];
  readonly now: Date;
}

type Messages = { readonly messages: readonly string[]; readonly micros: number } | { readonly why: string };

function ask(judge: Judge, { object, namespaces, now }: Asked): Messages {
  const isReview = object['kind'] === 'AdmissionReview';
  const read = isReview ? reviewOfRequest(objectAt(object, 'request')) : reviewOfObject(object);
  if (read.kind === 'refused') return { why: read.message };
  const { review } = read;
  const namespace = namespaces.find((one) => one.name === review.namespace);
  const facts = { tenant: undefined, namespace };
  const asked = {
    review,
    facts,
    now,
    parameters: {},
    shape: 'Review',
    trust: 'Platform',
    point: 'cli',
    seesImages: false,
  } as const;
  const said = judge.ask(asked);
  if (said.kind === 'failed') return { why: `the evaluation failed: ${said.reason}: ${said.message}` };
  // The time is that of a pack that is loaded, as it is in a cluster.
  const again = judge.ask(asked);
  const micros = again.kind === 'answer' ? again.micros : 0;
  return { messages: said.answer.violation.map((one) => one.message), micros };
}
