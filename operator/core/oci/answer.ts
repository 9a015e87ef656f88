// SPDX-License-Identifier: Apache-2.0

/** Why a registry could not tell, or that what was asked for is not there. */
export type Failure =
  | {
      /** The registry says so itself: there is no such thing. */
      readonly kind: 'absent';
      readonly message: string;
    }
  | {
      /** Registry: what credentials there are do not suffice. Platform: we do not ask there. */
      readonly kind: 'refused';
      readonly by: 'Registry' | 'Platform';
      readonly message: string;
    }
  | {
      /** Too many requests: ours, or those of others with us. */
      readonly kind: 'throttled';
      readonly message: string;
      readonly retryAfterMs?: number | undefined;
    }
  | {
      /** No answer, or that of a server in trouble. */
      readonly kind: 'unreachable';
      readonly message: string;
      readonly retryAfterMs?: number | undefined;
    }
  | {
      /** An answer that is a lie, or beyond what is taken: another digest, too large, not what it says it is. */
      readonly kind: 'broken';
      readonly message: string;
    };

/**
 * What came of a question to a registry. `absent` alone means that something is not there; whatever is neither that nor `ok` means that it
 * could not be found out, and nothing may be concluded from it.
 */
export type Answer<T> = { readonly kind: 'ok'; readonly value: T } | Failure;

/** An answer with a value. */
export function ok<T>(value: T): Answer<T> {
  return { kind: 'ok', value };
}

/** An answer that is not to be believed, or not to be taken. */
export function broken(message: string): Failure {
  return { kind: 'broken', message };
}

/** We do not ask there. */
export function refusedByPlatform(message: string): Failure {
  return { kind: 'refused', by: 'Platform', message };
}
