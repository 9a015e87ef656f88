// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { RequestFacts } from '#operator/core/policy/facts';
import {
  type Constraint,
  constraintsFor,
  constraintsOf,
  type EnforcementPoint,
} from '#operator/core/policy/gatekeeper-constraints';
import type { Trust } from '#operator/core/policy/mutate';
import { type PackAnswer, readAnswer } from '#operator/core/policy/outputs';
import { type InputShape, projector } from '#operator/core/policy/projection';
import type { JsonObject, Review } from '#operator/core/policy/review';
import { evaluateHere, HereSession, type PolicyData } from '#operator/policy/evaluate-here';
import { type PolicyModule, verifyModule } from '#operator/policy/module';
import type { CompiledPack } from '#operator/rego/compile';
import { CommandError, EXIT } from '../cli/command.ts';

/** What a pack is asked. */
export interface Question {
  readonly review: Review;
  readonly facts: RequestFacts;
  readonly now: Date;
  readonly parameters: JsonObject;
  readonly shape: InputShape;
  readonly trust: Trust;
  readonly point: EnforcementPoint;
  /** Whether the pack is told what is known of images; NoImages: as if there were none. */
  readonly seesImages: boolean | 'NoImages';
}

/** What it says, or why it says nothing. */
export type Said =
  | { readonly kind: 'answer'; readonly answer: PackAnswer; readonly micros: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** A compiled pack that can be asked, by the very host that asks it in a cluster. */
export interface Judge {
  readonly module: PolicyModule;
  ask(question: Question): Said;
  /** The input that a question becomes. */
  input(question: Question): string;
  /** The same pack with other data. */
  withData(data: Uint8Array): Judge;
}

const LIMITS = { deadlineMs: 1000, memoryMiB: 64, tenant: undefined } as const;
const NS_PER_MS = 1_000_000n;

/** Checks a compiled pack as a cluster does, and makes it answer. */
export function openJudge({ wasm, data, entrypoints }: CompiledPack): Judge {
  const checked = verifyModule(wasm);
  if (checked.kind === 'refused')
    throw new CommandError(
      EXIT.no,
      'the module is refused',
      checked.faults.map(({ reason, message }) => `${reason}: ${message}`),
    );
  const [entrypoint = ''] = entrypoints;
  return judgeOf({ module: checked.module, entrypoint, session: new HereSession() }, data);
}

interface Loaded {
  readonly module: PolicyModule;
  readonly entrypoint: string;
  readonly session: HereSession;
}

function judgeOf(loaded: Loaded, data: Uint8Array | undefined): Judge {
  const constraints = readConstraints(data);
  const held = data === undefined ? undefined : { digest: digestOf(data), bytes: data };
  const input = (question: Question) => inputText(question, constraints);
  return {
    module: loaded.module,
    input,
    ask: (question) => ask(loaded, { input: input(question), now: question.now, data: held }),
    withData: (other) => judgeOf(loaded, other),
  };
}

function inputText(question: Question, constraints: readonly Constraint[] | undefined): string {
  const { review, facts, now, parameters, shape, trust, point, seesImages } = question;
  const { namespace } = facts;
  const chosen = constraints && JSON.stringify(constraintsFor(constraints, { review, namespace, point }));
  const isTold = seesImages === true;
  const text = projector(
    review,
    facts,
    now,
  )({ shape, trust, parameters: JSON.stringify(parameters), constraints: chosen, seesImages: isTold });
  return seesImages === 'NoImages' && shape === 'Review' ? `${text.slice(0, -1)},"images":[]}` : text;
}

interface Asked {
  readonly input: string;
  readonly now: Date;
  readonly data: PolicyData | undefined;
}

function ask({ module, entrypoint, session }: Loaded, { input, now, data }: Asked): Said {
  const nowNs = BigInt(now.getTime()) * NS_PER_MS;
  const bytes = new TextEncoder().encode(input);
  const verdict = evaluateHere({ ...LIMITS, module, entrypoint, input: bytes, data, nowNs }, session);
  if (verdict.kind === 'failed') return { kind: 'failed', reason: verdict.reason, message: verdict.message };
  if (verdict.kind === 'undefined')
    return { kind: 'failed', reason: 'Undefined', message: 'the pack made no decision' };
  const read = readAnswer(verdict.value);
  if (read.kind === 'malformed') return { kind: 'failed', reason: 'BadResult', message: read.message };
  return { kind: 'answer', answer: read.answer, micros: verdict.micros };
}

function readConstraints(data: Uint8Array | undefined): readonly Constraint[] | undefined {
  if (data === undefined) return undefined;
  const read = constraintsOf(JSON.parse(new TextDecoder().decode(data)));
  const faults = read?.flatMap((one, index) =>
    one.kind === 'ok' ? [] : one.faults.map((fault) => ({ index, fault })),
  );
  if (faults !== undefined && faults.length > 0)
    throw new CommandError(
      EXIT.usage,
      'the constraints in the data of the pack cannot be read',
      faults.map(
        ({ index, fault }) => `gatekeeper.constraints[${index}].${fault.field}: must be ${fault.wanted}`,
      ),
    );
  return read?.flatMap((one) => (one.kind === 'ok' ? [one.constraint] : []));
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
