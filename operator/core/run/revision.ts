// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { pinOf } from '../agent/pinned.ts';
import type { Run } from './run.ts';
import type { Cause } from './status.ts';

/** Why a Run waits whose AgentRevision is not there, and what would help. */
export function missingRevision(run: Run): Cause {
  const agent = run.spec.agentRef.name;
  const name = pinOf(run);
  if (name === undefined) {
    return { reason: RUN_REASONS.AgentNotReady, message: `Agent ${agent} has no revision yet` };
  }
  const field = run.spec.revision === undefined ? 'status.revision.name' : 'spec.revision';
  const message = `${field}: Agent ${agent} has no AgentRevision ${name}. The Run goes on when the Agent has that template again; or cancel it, and create another one`;
  return { reason: RUN_REASONS.RevisionNotFound, message };
}
