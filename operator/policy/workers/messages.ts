// SPDX-License-Identifier: Apache-2.0
import type { CompiledModule } from '../engine.ts';
import type { Question } from '../instance.ts';
import type { ModuleLayout } from '../module.ts';
import type { EvaluationLimits, Failure } from '../verdict.ts';

/** What a worker loads, once. */
export interface ModuleSource {
  readonly compiled: CompiledModule;
  readonly layout: ModuleLayout;
  readonly memoryMiB: number;
  /** Threads share its memory. */
  readonly data: Uint8Array | undefined;
  /** Whose it is; empty: the platform's. */
  readonly owner: string;
}

/** What a worker is asked to do. */
export type Order =
  | { readonly kind: 'forget'; readonly key: string }
  /** Nothing but that there is a question in its mailbox. */
  | { readonly kind: 'look' }
  | {
      readonly kind: 'run';
      readonly id: number;
      /** Names module, data and memory together. */
      readonly key: string;
      /** With the first order for this key. */
      readonly source: ModuleSource | undefined;
      /** Without it, the module is loaded, and no more. */
      readonly question: Question | undefined;
      /** What it may have of a processor. */
      readonly deadlineMs: number;
      /** Where there is a question: so long the module may take to be loaded before, which is not of `deadlineMs` then. */
      readonly loadDeadlineMs?: number | undefined;
    };

/** The same for all. */
export const LOOK: Order = { kind: 'look' };

/** What became of a `run`. `json` is undefined where no rule has spoken. */
export type ReplyContent =
  | { readonly kind: 'answer'; readonly json: string | undefined }
  | { readonly kind: 'failed'; readonly reason: Failure; readonly message: string };

/** The same, and which it was. */
export type Reply = ReplyContent & {
  readonly id: number;
  /** Of a processor, for this alone. */
  readonly micros: number;
  /** Of that, what it took until there was an instance: all, where there could not be one. */
  readonly loadMicros: number;
  /** What its thread has had of a processor until then, in milliseconds. */
  readonly processorMs: number;
  /** It gives memory back now, which nobody has to wait for, and takes no order before it says `Collected`. */
  readonly collects: boolean;
};

/** What a worker says when what it is asked about is loaded, where that had time of its own: the deadline of the question begins. */
export interface Loaded {
  readonly kind: 'loaded';
  readonly processorMs: number;
}

/** What a worker says when it has given memory back, and takes orders again. */
export interface Collected {
  readonly kind: 'collected';
  readonly processorMs: number;
}

/** What a worker says first: that it takes orders, and which thread it is, where that is known. */
export type Ready = Extract<Reply, { kind: 'answer' }> & { readonly thread: number | undefined };

/** The number of the reply with which a worker says that it takes orders. */
export const READY = 0;

/** What a worker needs to begin; told with its start. */
export interface WorkerSettings {
  readonly limits: EvaluationLimits;
  /** After so many evaluations an instance is made anew. */
  readonly recycleAfter: number;
  /** An instance that has taken more than this beyond what it began with is made anew. */
  readonly recycleBytes: number;
  /** All instances of a worker together; the one used longest ago goes first. */
  readonly residentBytes: number;
}
