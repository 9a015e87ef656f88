// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import { MAX_INPUT_BYTES } from '#crds/v1alpha1/run-input';
import type { KubeObject } from '../object.ts';
import type { Failure } from './outcome.ts';
import type { Run } from './run.ts';
import type { Cause } from './status.ts';

/** Input that is copied for an attempt, so that nobody can change it under way. */
export interface CopiedInput {
  /** As ConfigMaps hold it: text, or base64 of bytes that are none. */
  readonly content: { readonly text: string } | { readonly base64: string };
  readonly facts: NonNullable<RunStatus['input']>;
}

/** How it stands with the input of a Run. */
export type RunInput =
  /** `copied` is undefined where there is none, or the container gets it without us. */
  | { readonly kind: 'ready'; readonly copied: CopiedInput | undefined }
  /** It may come yet. */
  | { readonly kind: 'missing'; readonly cause: Cause }
  /** It never fits. */
  | { readonly kind: 'refused'; readonly failure: Failure };

/** Key of the input in the ConfigMap of an attempt. */
export const INPUT_KEY = 'input';

/** Where the input of an attempt may be found, as direct reads have it. */
export interface InputSources {
  /** The ConfigMap that the Run names. */
  readonly source: KubeObject | undefined;
  /** The one that was made for the attempt already. It cannot be changed, so what it holds is what the container gets. */
  readonly made: KubeObject | undefined;
}

/** What the container of `run` is given as input. */
export function resolveInput(run: Run, { source, made }: InputSources): RunInput {
  const { inline, configMapKeyRef } = run.spec.input ?? {};
  if (inline !== undefined) return checked(run, { text: inline });
  if (configMapKeyRef === undefined) return { kind: 'ready', copied: undefined };
  const { name, key } = configMapKeyRef;
  const content = (made && contentOf(made, INPUT_KEY)) ?? (source && contentOf(source, key));
  if (content !== undefined) return checked(run, content);
  const what = source === undefined ? `there is no ConfigMap ${name}` : `ConfigMap ${name} has no key ${key}`;
  const message = `spec.input.configMapKeyRef: ${what} in this namespace; it is looked for again`;
  return { kind: 'missing', cause: { reason: RUN_REASONS.InputNotFound, message } };
}

function contentOf(source: KubeObject, key: string): CopiedInput['content'] | undefined {
  const { data = {}, binaryData = {} } = source as {
    readonly data?: Readonly<Record<string, string>>;
    readonly binaryData?: Readonly<Record<string, string>>;
  };
  const text = valueAt(data, key);
  if (text !== undefined) return { text };
  const base64 = valueAt(binaryData, key);
  return base64 === undefined ? undefined : { base64 };
}

/** The user chooses the key: it must not find what every object inherits, such as `constructor`. */
function valueAt(values: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(values, key) ? values[key] : undefined;
}

function checked(run: Run, content: CopiedInput['content']): RunInput {
  const bytes = 'text' in content ? Buffer.from(content.text) : Buffer.from(content.base64, 'base64');
  const sizeBytes = bytes.length;
  if (sizeBytes > MAX_INPUT_BYTES) {
    return refused(`found ${sizeBytes} bytes; at most ${MAX_INPUT_BYTES} are allowed, more goes by uri`);
  }
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const wanted = run.spec.input?.digest;
  if (wanted !== undefined && wanted !== digest) {
    return refused(`its digest is ${digest}, and spec.input.digest says ${wanted}`);
  }
  return { kind: 'ready', copied: { content, facts: { digest, sizeBytes } } };
}

function refused(why: string): RunInput {
  const error = { code: 'invalid_request', message: `spec.input: ${why}`, retryable: false } as const;
  return { kind: 'refused', failure: { reason: RUN_REASONS.InvalidInput, error } };
}
