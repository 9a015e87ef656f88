// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import {
  type Constraint,
  constraintsOf,
  type ReadConstraint,
} from '../../core/policy/gatekeeper-constraints.ts';
import { isJsonObject } from '../../core/policy/review.ts';
import type { PolicyData } from '../evaluate-here.ts';
import { type PolicyModule, verifyModule } from '../module.ts';
import { type AssembledBlob, assembleBlob } from './blob.ts';

/** Why a revision cannot judge at the moment though it is loaded. */
export interface Trouble {
  readonly reason: string;
  readonly message: string;
}

/** A revision's module, checked, and its data. */
export interface LoadedRevision {
  readonly module: PolicyModule;
  readonly data?: PolicyData | undefined;
  /** Constraints of Gatekeeper that the data hold. */
  readonly constraints?: readonly Constraint[] | undefined;
  /** Asked before it judges: whether its data are what they have to be. Absent: they always are. */
  readonly trouble?: () => Trouble | undefined;
}

/** A revision that can be evaluated, or why it cannot. */
export type LoadOutcome =
  | { readonly kind: 'ok'; readonly loaded: LoadedRevision }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** A revision's module and data, whole again or not. */
export interface RevisionBytes {
  readonly module: AssembledBlob;
  /** Undefined where it has none. */
  readonly data: AssembledBlob | undefined;
}

/** Loads what a revision is made of from the parts that it is kept in. */
export function loadRevision(
  spec: Pick<PolicyPackRevisionSpec, 'module' | 'data' | 'entrypoints'>,
  partOf: (chunk: string) => Uint8Array | undefined,
): LoadOutcome {
  const data = spec.data === undefined ? undefined : assembleBlob(spec.data, partOf);
  return loadBytes(spec, { module: assembleBlob(spec.module, partOf), data });
}

/**
 * Checks what a revision is made of, whose digests are those that it names. Each time, whoever wrote it: that it has been
 * checked before is not for it to say.
 */
export function loadBytes(
  spec: Pick<PolicyPackRevisionSpec, 'data' | 'entrypoints'>,
  { module: bytes, data }: RevisionBytes,
): LoadOutcome {
  if (bytes.kind !== 'ok') return blobFailure('module', bytes);
  const verified = verifyModule(bytes.bytes);
  if (verified.kind === 'refused') {
    const message = verified.faults.map((one) => one.message).join('; ');
    return { kind: 'failed', reason: verified.faults[0]?.reason ?? 'Refused', message };
  }
  const { module } = verified;
  const missing = spec.entrypoints.find(({ path }) => !module.entrypoints.includes(path));
  if (missing !== undefined) {
    const message = `the module has no entry point ${missing.path}`;
    return { kind: 'failed', reason: 'Entrypoint', message };
  }
  if (spec.data === undefined || data === undefined) return { kind: 'ok', loaded: { module } };
  return withData(module, spec.data.digest, data);
}

function withData(module: PolicyModule, digest: string, bytes: AssembledBlob): LoadOutcome {
  if (bytes.kind !== 'ok') return blobFailure('data', bytes);
  const parsed = parse(bytes.bytes);
  if (!isJsonObject(parsed))
    return { kind: 'failed', reason: 'Corrupt', message: 'the data are no JSON object' };
  const data = { digest, bytes: bytes.bytes };
  return withConstraints({ module, data }, constraintsOf(parsed, 'verified') ?? []);
}

function withConstraints(loaded: LoadedRevision, read: readonly ReadConstraint[]): LoadOutcome {
  const constraints: Constraint[] = [];
  for (const one of read) {
    if (one.kind === 'refused') {
      const { field = '', wanted = '' } = one.faults[0] ?? {};
      const message = `a constraint in the data: ${field} has to be ${wanted}`;
      return { kind: 'failed', reason: 'Constraint', message };
    }
    constraints.push(one.constraint);
  }
  return { kind: 'ok', loaded: { ...loaded, ...(read.length > 0 && { constraints }) } };
}

function blobFailure(
  what: 'module' | 'data',
  blob: Exclude<AssembledBlob, { readonly kind: 'ok' }>,
): LoadOutcome {
  if (blob.kind === 'refused')
    return { kind: 'failed', reason: blob.reason, message: `the ${what}: ${blob.message}` };
  const message = `the ${what}: ConfigMap ${blob.chunk} is not there`;
  return { kind: 'failed', reason: 'ChunkMissing', message };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
