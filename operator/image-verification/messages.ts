// SPDX-License-Identifier: Apache-2.0
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { Evidence, Gathered } from '../supply-chain/evidence.ts';

/** Of an image, without its documents: they follow one by one, each with its bytes beside the message. */
export type HeldImage = Pick<Gathered, 'incomplete'> | NotKnown;

/**
 * What a judge is told, in this order: policies that it has not been told of yet, what was gathered, piece by piece, and then what is to be judged. The
 * manifest of an image, and a document, are bytes beside the message.
 */
export type Order =
  | { readonly kind: 'policy'; readonly id: number; readonly inputs: PolicyInputs }
  /** It is not asked by that policy any more. */
  | { readonly kind: 'forget'; readonly id: number }
  /** There is nothing to do for a while: it lets go of memory. */
  | { readonly kind: 'rest' }
  | { readonly kind: 'image'; readonly digest: string; readonly held: HeldImage }
  | ({ readonly kind: 'evidence'; readonly digest: string } & Omit<Evidence, 'bytes'>)
  | {
      readonly kind: 'judge';
      /** No two that one process is given have the same; the reply names it. */
      readonly number: number;
      readonly digest: string;
      /** By their ids. */
      readonly policies: readonly number[];
      readonly now: string;
    };

/**
 * What it says: that it takes orders, or what it found. Of each policy by itself: what is said at once is read at once, by the thread that all else is
 * done in.
 */
export type Reply =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'verdict';
      readonly number: number;
      /** By the next policy, in the order that they were told in. */
      readonly verdict: ImageVerdict;
    }
  | {
      /** After its verdicts. */
      readonly kind: 'judged';
      readonly number: number;
      /** Images within that nobody has gathered anything of yet; where there are some, the verdicts are not the last word. */
      readonly missing: readonly string[];
      /** What it has had of a processor until then, in milliseconds. */
      readonly processorMs: number;
    }
  | {
      readonly kind: 'failed';
      readonly number: number;
      readonly message: string;
      readonly processorMs: number;
    };

/** What it is started with: whoever starts the file otherwise is told that it is no role by itself. */
export const JUDGE_ARGUMENT = 'orders-on-stdin';
