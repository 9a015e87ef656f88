// SPDX-License-Identifier: Apache-2.0

/** What became of one request over HTTP. */
export type Answer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly body: string;
      /** As it stands in the header. */
      readonly retryAfter?: string;
    }
  /** No connection came about, so nothing was sent. `passes`: whether another try could help. */
  | { readonly kind: 'unsent'; readonly why: string; readonly passes: boolean }
  /** It was sent, and no whole answer came. */
  | { readonly kind: 'lost'; readonly why: string }
  /** An answer came that is larger than what is read. */
  | { readonly kind: 'unread'; readonly why: string };
