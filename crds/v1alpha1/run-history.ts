// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { int } from './meta.ts';

/** Shorter, and a Run could be gone before it is on record that a schedule has made it. */
const LEAST_SECONDS = 300;
const MOST_SECONDS = 31_536_000;
const MOST_RUNS = 100_000;

/** What `spec.history` of an Agent is. */
export const agentHistory = z
  .object({
    ttlSecondsAfterFinished: int(
      'Runs that do not say themselves are deleted this long after they finished. Empty: kept.',
      LEAST_SECONDS,
      MOST_SECONDS,
    ).optional(),
    successfulRunsLimit: int('Runs that are kept after they succeeded. Empty: all.', 0, MOST_RUNS).optional(),
    failedRunsLimit: int(
      'Runs that are kept after they failed or were cancelled. Empty: all.',
      0,
      MOST_RUNS,
    ).optional(),
  })
  .describe(
    'Which finished Runs are kept. The newest of each kind are; those of a schedule are counted by its own limits.',
  );

/** What `spec.runHistory` of a Tenant is. */
export const tenantRunHistory = z
  .object({
    ttlSecondsAfterFinished: int(
      'No finished Run is kept longer, whatever it or its Agent says. Empty: as these say.',
      LEAST_SECONDS,
      MOST_SECONDS,
    ).optional(),
    limit: int('Finished Runs that are kept, the newest. Empty: all.', 0, MOST_RUNS).optional(),
  })
  .describe('Which finished Runs are kept at most, over all namespaces of the tenant together.');
