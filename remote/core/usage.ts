// SPDX-License-Identifier: Apache-2.0
import { type ReportedUsage, reportedUsage } from '#crds/v1alpha1/run-result';
import type { Message, Task } from './task.ts';

/** Key of the metadata of a task, or of a message, under which an agent may say what it has used. */
export const USAGE_KEY = 'nexusos.dev/usage';

/** What a task, or what was said with its state, reports; nothing for what does not fit. */
export function usageOf(said: Task | Message): ReportedUsage | undefined {
  const inner = 'message' in said ? said.message?.metadata : undefined;
  const reported = reportedUsage.safeParse(said.metadata?.[USAGE_KEY] ?? inner?.[USAGE_KEY]).data;
  return reported !== undefined && Object.keys(reported).length > 0 ? reported : undefined;
}
