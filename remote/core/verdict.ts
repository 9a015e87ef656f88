// SPDX-License-Identifier: Apache-2.0
import { type Failure, failure } from './failure.ts';
import { outputOfTask, wordsOf } from './output.ts';
import type { Ending } from './said.ts';
import type { Task, TaskState } from './task.ts';
import { usageOf } from './usage.ts';

/** What a question is that has no words. */
const ASKS = 'The agent asks for more input.';
/** Longest part of what an agent says that is told of a failure. */
const MAX_WORDS = 1500;

/** What a state of a task leads to. */
const VERDICTS: Readonly<Record<TaskState, 'goes on' | 'completed' | 'asks' | ((words: string) => Failure)>> =
  {
    submitted: 'goes on',
    working: 'goes on',
    // The endpoint does not know for now; the timeout bounds it.
    unknown: 'goes on',
    completed: 'completed',
    failed: (words) => failure('TaskFailed', `the agent failed${words}`),
    rejected: (words) => failure('TaskRejected', `the agent declined the task${words}`),
    canceled: (words) => failure('TaskCanceled', `the task was cancelled at the endpoint${words}`),
    'input-required': 'asks',
    'auth-required': (words) =>
      failure(
        'AuthRequired',
        `the agent asks for somebody to log in, which Runs cannot do: give it what it needs by spec.remote.auth${words}`,
      ),
  };

/** How the attempt ends with a task as it is; undefined while it goes on. What is cut is cut without secrets: half of one is not found later. */
export function verdictOn(task: Task, hide: (text: string) => string): Ending | undefined {
  const verdict = VERDICTS[task.state];
  if (verdict === 'goes on') return undefined;
  const usage = usageOf(task);
  if (verdict === 'completed') return { kind: 'completed', ...outputOfTask(task, hide), usage };
  const said = wordsOf(task.message);
  if (verdict === 'asks') {
    const conversation = { task: task.id, context: task.contextId };
    return { kind: 'asks', prompt: said || ASKS, conversation, usage };
  }
  const words = said === '' ? '' : `: ${hide(said).slice(0, MAX_WORDS)}`;
  return { kind: 'failed', failure: verdict(words), usage };
}

/** Whether a task waits for what it will never get: it is to be cancelled. */
export function isLeftWaiting({ state }: Task): boolean {
  return state === 'auth-required';
}
