// SPDX-License-Identifier: Apache-2.0
import type { ImageVerdict } from '../supply-chain/verdict.ts';
import type { PolicyInputs } from './inputs.ts';

/** What an image is to be judged by: one policy, with all that it names. */
export interface AskedPolicy {
  readonly uid: string;
  /** Of the policy and of all that it names. */
  readonly digest: string;
  readonly inputs: PolicyInputs;
}

/** An image that is to be judged, for a namespace. */
export interface ImageQuestion {
  /** Of all that the answer depends on, beside the time and what is in registries. */
  readonly key: string;
  /** The ImageVerdict, as namespace/name: who is told of the answer. */
  readonly verdict: string;
  readonly namespace: string;
  /** Whose namespace it is: tenants take turns. */
  readonly tenant: string;
  /** As it is written. */
  readonly image: string;
  /** Pull secrets of that namespace, and of no other. */
  readonly pullSecrets: readonly string[];
  readonly policies: readonly AskedPolicy[];
  /** An answer that is older is asked for anew. */
  readonly freshMs: number;
  /** When somebody was last refused it. */
  readonly triedAt?: Date | undefined;
  /** Nothing that was proved counts: it goes before what is only looked at again. */
  readonly isUrgent?: boolean;
}

/** What was found out about an image. */
export interface ImageFindings {
  /** What the image is; undefined where the registry did not say. */
  readonly digest?: string | undefined;
  /** By uid of the policy. */
  readonly verdicts: ReadonlyMap<string, ImageVerdict>;
  /** When it was looked at. */
  readonly checkedAt: Date;
  /** When to ask again, where something is not known. */
  readonly retryAfterMs?: number | undefined;
}

/** How far the verification of an image is. */
export type ImageAnswer =
  | {
      readonly kind: 'pending';
      /** In how many milliseconds to ask again, where there is no place yet to wait in; undefined while it is found out, or waits for that. */
      readonly againMs?: number;
    }
  | {
      readonly kind: 'known';
      readonly findings: ImageFindings;
      /** In how many milliseconds it is worth asking again; undefined while it is found out anew, or waits for that, which `onDone` tells. */
      readonly againMs: number | undefined;
    };

/** Verifies images beside everything else. */
export interface ImageVerifier {
  /** The answer, if there is one. Where there is none, or it is not fresh, it is found out, and whoever `onDone` names is told. */
  ask(question: ImageQuestion): ImageAnswer;
  /** Nobody asks about a verdict any more. */
  forget(verdict: string): void;
  /** Has `tell` called with the verdict, as namespace/name, whenever something is known anew. */
  onDone(tell: (verdict: string) => void): void;
}
