// SPDX-License-Identifier: Apache-2.0
import { PLATFORM_NAMESPACE } from '../system/chart.ts';
import { waitForQuiet } from './audit.ts';
import type { System } from './bring-up.ts';
import { judge, type Verdict } from './outcome.ts';
import { tryRefusal } from './refusal.ts';
import type { Snapshot } from './snapshot.ts';
import { alignTable } from './table.ts';

const QUIET_MS = 6000;
const QUIET_TIMEOUT_MS = 120_000;
const OPERATOR_USER = `system:serviceaccount:${PLATFORM_NAMESPACE}:nexusos-operator`;

/** Everything that `npm start -- --once` promises, checked on a system whose samples have come to their end. */
export async function checkAll(system: System, snapshot: Snapshot): Promise<readonly Verdict[]> {
  return [
    ...judge(snapshot),
    await tryRefusal(system.cluster, snapshot.tenants),
    await checkQuiet(system),
    checkErrors(system),
  ];
}

/** The verdicts as a table, and the line that counts them. */
export function renderVerdicts(verdicts: readonly Verdict[]): readonly string[] {
  const rows = verdicts.map(({ what, ok, detail }) => [ok ? '✔' : '✘', what, detail]);
  const kept = verdicts.filter((one) => one.ok).length;
  return [...alignTable(['', 'CHECK', 'SEEN'], rows), '', `${kept} of ${verdicts.length} checks passed`];
}

async function checkQuiet({ cluster }: System): Promise<Verdict> {
  const what = 'no writes in steady state';
  if (cluster.auditLog === undefined) return { what, ok: false, detail: 'there is no audit log' };
  const options = { user: OPERATOR_USER, quietMs: QUIET_MS, timeoutMs: QUIET_TIMEOUT_MS };
  const last = await waitForQuiet(cluster.auditLog, options);
  if (last === undefined) return { what, ok: true, detail: `none in ${QUIET_MS / 1000} s, the Lease aside` };
  const writes = last.map((one) => `${one.verb} ${one.resource} ${one.name}`);
  return { what, ok: false, detail: `still writes after ${QUIET_TIMEOUT_MS / 1000} s: ${writes.join(', ')}` };
}

function checkErrors({ operator }: System): Verdict {
  const { errors } = operator.log;
  const first = errors[0] === undefined ? '' : `, first: ${JSON.stringify(errors[0]).slice(0, 500)}`;
  return { what: 'no error in the log', ok: errors.length === 0, detail: `${errors.length} errors${first}` };
}
