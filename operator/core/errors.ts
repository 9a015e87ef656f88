// SPDX-License-Identifier: Apache-2.0
import type { ErrorCode } from '#crds/v1alpha1/error-codes';

export type { ErrorCode } from '#crds/v1alpha1/error-codes';

/**
 * Something that could not be found out or done. `terminal` means that trying again cannot help: it is
 * counted and logged, and not retried until the object changes. Expected outcomes are values, never this.
 */
export class ReconcileError extends Error {
  readonly code: ErrorCode;
  readonly terminal: boolean;

  constructor(code: ErrorCode, message: string, options: { terminal?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ReconcileError';
    this.code = code;
    this.terminal = options.terminal ?? false;
  }
}

/** The API server will not have an object that a plan creates or replaces, as it is; nothing was written. */
export class RefusedError extends ReconcileError {}
