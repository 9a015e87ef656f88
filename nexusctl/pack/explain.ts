// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { ImageTeller } from '#operator/core/policy/image-input';
import { isJsonObject, type Review } from '#operator/core/policy/review';
import { isTestFile } from '#operator/rego/rego-tests';
import { objectAt } from '#operator/rego/gatekeeper/json';
import { wrapperModule } from '#operator/rego/wrapper';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { printable } from '../cli/output.ts';
import { type Compiler, OPA_FLAG, openCompiler } from './compiler.ts';
import { readDecision } from './decision.ts';
import { readDocuments } from './documents.ts';
import { readPack } from './folder.ts';
import { imagesIn } from './image-fixtures.ts';
import { reviewOfObject, reviewOfRequest } from './review-of.ts';
import {
  judge,
  openPack,
  type PackVerdict,
  type ReadyPack,
  seesImages,
  type Surroundings,
} from './verdict.ts';

/** `nexusctl pack explain FOLDER OBJECT`. */
export const EXPLAIN: Command = {
  path: ['pack', 'explain'],
  summary: 'says why a pack refuses an object, or lets it pass',
  about:
    'Asks the pack as a cluster would: the verdict, each rule that speaks with the field that it means, and what the rules saw as input (-o json). With --trace, how the compiler itself got there, line by line. Binding is said, and then left aside.',
  args: [
    { name: 'FOLDER', what: 'the pack: a folder with manifest.yaml, or a manifest with its source' },
    {
      name: 'OBJECT',
      what: 'a file with one object, or an AdmissionReview; with --decision, a decision log of the admission process',
    },
  ],
  flags: [
    {
      name: 'decision',
      value: 'ID',
      what: 'asks again about a request of the log: its decision_id, or `last` for the last refusal',
    },
    {
      name: 'images',
      value: 'FILE',
      what: 'what is known of images, as `images` of a case; else what the decision saw, or that nothing is known',
    },
    {
      name: 'trace',
      value: 'MODE',
      what: 'fails (what did not hold), notes (what rules say by trace()) or full',
    },
    OPA_FLAG,
  ],
  examples: [
    'pack explain image-tags pod.yaml',
    'pack explain image-tags pod.yaml --trace fails',
    'pack explain image-tags decisions.log --decision last',
  ],
  run: explain,
};

const TRACES = ['fails', 'notes', 'full'];
const TIMEOUT_MS = 30_000;

async function explain(call: Call): Promise<Outcome> {
  const mode = traceMode(call);
  const pack = await readPack(resolve(call.cwd, argumentAt(call, 0)));
  const { review, hidden, images } = await reviewFrom(call);
  const compiler = await openCompiler(call);
  const ready = await openPack(pack, compiler);
  const around = surroundingsOf(review, images);
  const found = judge(ready, review, { ...around, always: true });
  const { parameters = {}, input: shape } = pack.spec;
  const told = { parameters, shape, seesImages: seesImages(pack) };
  const input = ready.judge.input({ review, ...around, ...told });
  return outcomeOf({
    review,
    hidden,
    found,
    isBound: judge(ready, review, around).verdict !== 'NotBound',
    input,
    trace: mode === undefined ? undefined : await traceOf(ready, { compiler, input, mode }),
  });
}

function traceMode(call: Call): string | undefined {
  const mode = flagValue(call, 'trace');
  if (mode === undefined || TRACES.includes(mode)) return mode;
  throw new CommandError(EXIT.usage, `--trace is ${mode}; it can be ${TRACES.join(', ')}`);
}

function surroundingsOf({ namespace: name }: Review, images: ImageTeller | undefined): Surroundings {
  const namespace = name === '' ? undefined : { name, labels: {} };
  const facts = { tenant: undefined, namespace, ...(images !== undefined && { images }) };
  return { facts, now: new Date(), trust: 'Platform', point: 'cli' };
}

interface Explanation {
  readonly review: Review;
  /** What a log left out of it. */
  readonly hidden: readonly string[];
  readonly found: PackVerdict;
  readonly isBound: boolean;
  readonly input: string;
  readonly trace: readonly string[] | undefined;
}

function outcomeOf({ review, hidden, found, isBound, input, trace }: Explanation): Outcome {
  const { denials = [], warnings = [], noted = [] } = found.composition ?? {};
  const findings = [...denials, ...warnings, ...noted].map(({ rule, field, message }) => ({
    rule,
    field,
    message,
  }));
  const name = [review.namespace, review.name].filter((part) => part !== '').join('/');
  return {
    code: found.verdict === 'Denied' ? EXIT.no : EXIT.ok,
    value: { verdict: found.verdict, isBound, hidden, findings, input: JSON.parse(input) as unknown, trace },
    before: [
      `${review.operation} ${review.kind.kind} ${name}: ${found.verdict}`,
      ...(isBound
        ? []
        : ['The binding of the pack leaves this request out: in a cluster it would not be asked.']),
      ...(hidden.length === 0
        ? []
        : [`Not in the log, so rules did not see it here: ${hidden.slice(0, MAX_HIDDEN).join(', ')}`]),
    ],
    table: {
      head: ['RULE', 'FIELD', 'MESSAGE'],
      rows: findings.map(({ rule, field = '', message }) => [rule, field, message]),
    },
    after: (trace ?? []).map(printable),
  };
}

/** Names of what was left out; more does not help. */
const MAX_HIDDEN = 16;

interface Asked {
  readonly review: Review;
  readonly hidden: readonly string[];
  readonly images?: ImageTeller | undefined;
}

async function reviewFrom(call: Call): Promise<Asked> {
  const path = resolve(call.cwd, argumentAt(call, 1));
  const decision = flagValue(call, 'decision');
  const asked: Asked =
    decision === undefined
      ? { review: await readReviewed(path), hidden: [] }
      : await readDecision(path, decision);
  const file = flagValue(call, 'images');
  return file === undefined ? asked : { ...asked, images: await imagesIn(call.cwd, file) };
}

async function readReviewed(path: string): Promise<Review> {
  const [document, ...others] = await readDocuments(path);
  if (document === undefined || others.length > 0)
    throw new CommandError(EXIT.usage, `${path} must hold one object`);
  const { value } = document;
  const isReview = value['kind'] === 'AdmissionReview' && isJsonObject(value['request']);
  const read = isReview ? reviewOfRequest(objectAt(value, 'request')) : reviewOfObject(value);
  if (read.kind === 'refused') throw new CommandError(EXIT.usage, `${path}: ${read.message}`);
  return read.review;
}

interface Tracing {
  readonly compiler: Compiler;
  readonly input: string;
  readonly mode: string;
}

/** By the compiler's own evaluator: the module itself has no trace. */
async function traceOf(
  { pack, compiled }: ReadyPack,
  { compiler, input, mode }: Tracing,
): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusctl-trace-'));
  try {
    const files = [...pack.source.files].filter(([path]) => !isTestFile(path));
    for (const [path, content] of [
      ...files,
      ['nexusos/main.rego', wrapperModule(compiled.answering)] as const,
    ]) {
      await mkdir(dirname(join(folder, 'pack', path)), { recursive: true });
      await writeFile(join(folder, 'pack', path), content);
    }
    await writeFile(join(folder, 'input.json'), input);
    await writeFile(join(folder, 'capabilities.json'), compiler.capabilities);
    const old = pack.source.regoVersion === 'V0' ? ['--v0-compatible'] : [];
    const flags = ['--explain', mode, '--format', 'pretty', '--capabilities', 'capabilities.json', ...old];
    const args = [
      'eval',
      ...flags,
      '--bundle',
      'pack',
      '--input',
      'input.json',
      'data.nexusos.main.decision',
    ];
    const { stdout, stderr } = await compiler.run(args, { cwd: folder, timeoutMs: TIMEOUT_MS });
    return `${stdout}${stderr}`.trimEnd().split('\n');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
