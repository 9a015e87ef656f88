// SPDX-License-Identifier: Apache-2.0
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import type { Evidence, Gathered } from '../supply-chain/evidence.ts';

/** What a worker is told, in this order: what was gathered, piece by piece, and then what is to be judged. */
export type Order =
  | {
      readonly kind: 'image';
      readonly digest: string;
      /** Without the documents, which follow one by one: to copy all of them at once takes too long. */
      readonly gathered: Omit<Gathered, 'evidence'> | NotKnown;
    }
  | { readonly kind: 'evidence'; readonly digest: string; readonly evidence: Evidence }
  | {
      readonly kind: 'judge';
      readonly digest: string;
      readonly policies: readonly PolicyInputs[];
      readonly now: string;
    };

/** What it says: that it takes orders, or what it found. */
export type Reply =
  | { readonly kind: 'ready'; readonly thread: number | undefined }
  | {
      readonly kind: 'judged';
      /** In the order of the policies. */
      readonly verdicts: readonly ImageVerdict[];
      /** Images within that nobody has gathered anything of yet; where there are some, the verdicts are not the last word. */
      readonly missing: readonly string[];
      /** What its thread has had of a processor until then, in milliseconds. */
      readonly processorMs: number;
    }
  | { readonly kind: 'failed'; readonly message: string; readonly processorMs: number };
