// SPDX-License-Identifier: Apache-2.0
import { truncate } from '../conditions.ts';
import { addCounts } from '../metering/counts.ts';
import { defined } from '../object.ts';
import type { ErrorCode } from '#crds/v1alpha1/error-codes';
import type { QuestionStatus } from '#crds/v1alpha1/run-questions';
import {
  MAX_COUNT,
  MAX_RESULT_BYTES,
  type ReportedUsage,
  type RunResult,
  type TerminationMessage,
  terminationMessage,
} from '#crds/v1alpha1/run-result';

/** What a container said when it ended. */
export interface Said {
  readonly result?: RunResult;
  readonly usage?: ReportedUsage;
  readonly error?: {
    readonly message: string;
    readonly retryable?: boolean | undefined;
    readonly code?: ErrorCode | undefined;
  };
  /** What it wants to be told before it goes on. */
  readonly asks?: Asks;
  /** All of it, where it is not of our form: the output of what succeeded, the reason of what failed. */
  readonly text?: string;
}

/** What a container asks, and what it wants to be given again with the answer. */
export type Asks = Pick<QuestionStatus, 'prompt' | 'schema' | 'state' | 'stateUri'>;

const KEYS = Object.keys(terminationMessage.shape);

/**
 * Reads the termination message of a container: a JSON object of the documented form, or else any text, which is kept
 * as it stands. It is untrusted: what does not fit the form, down to a name that stands twice, is a text like any other.
 */
export function readSaid(message: string | undefined): Said {
  if (message === undefined || message === '') return {};
  const text = cut(message);
  const parsed = terminationMessage.safeParse(jsonOf(text));
  if (!parsed.success || !isOfForm(parsed.data)) return { text };
  const { output, usage, error, inputRequired, ...refs } = parsed.data;
  const kept = {
    ...(output !== undefined && { output: asText(text, output, (all) => all.output) }),
    ...defined(refs),
  };
  const asks = inputRequired && asksIn(text, inputRequired);
  return defined({ result: Object.keys(kept).length > 0 ? kept : undefined, usage, error, asks });
}

function asksIn(text: string, asked: NonNullable<TerminationMessage['inputRequired']>): Asks {
  const { prompt, schema, state, stateUri } = asked;
  const said = {
    schema: schema === undefined ? undefined : asText(text, schema, (all) => all.inputRequired?.schema),
    state: state === undefined ? undefined : asText(text, state, (all) => all.inputRequired?.state),
    stateUri,
  };
  return { prompt, ...defined(said) };
}

/** What succeeded and said nothing of our form has said its output. */
export function asOutput({ text, ...said }: Said = {}): Said {
  return text === undefined ? said : { result: { output: text } };
}

/** Words of a container in a message for people: lines stay, and what could take over a terminal goes. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]+/gu, ' ');
}

/** What was reported so far, with what a container that has ended adds; undefined for nothing. */
export function addReported(
  before: ReportedUsage | undefined,
  usage: ReportedUsage | undefined,
): ReportedUsage | undefined {
  return addCounts(before, usage, MAX_COUNT);
}

/** Whether an object has anything to do with us: other programs write JSON there too. */
function isOfForm(data: TerminationMessage): boolean {
  const names = (data.artifacts ?? []).map(({ name }) => name);
  return KEYS.some((key) => key in data) && new Set(names).size === names.length;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A value in a message, as text. Its numbers stay as they stand there: a long one would be another one, or longer, in other words. */
function asText(text: string, value: unknown, pick: (all: TerminationMessage) => unknown): string {
  if (typeof value === 'string') return value;
  const asItStands = VERBATIM.parse(text, (_, one, { source }) =>
    typeof one === 'number' && source !== undefined ? VERBATIM.rawJSON(source) : one,
  ) as TerminationMessage;
  return JSON.stringify(pick(asItStands));
}

/** What JSON can do in this runtime, and its types do not tell yet. */
interface VerbatimJson {
  parse(
    text: string,
    revive: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}

const VERBATIM = JSON as unknown as VerbatimJson;

/** A kubelet hands on no more than this, but whoever writes the status of a pod might. */
function cut(text: string): string {
  return truncate(text, MAX_RESULT_BYTES);
}
