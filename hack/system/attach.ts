// SPDX-License-Identifier: Apache-2.0
import { attachCluster } from '../cluster/attach.ts';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { sharedClusterVariable } from '../cluster/description.ts';
import { installChart } from './chart.ts';
import { startOperator } from './operator-process.ts';
import { SHARED_SETTINGS } from './shared-settings.ts';

/** Set while the shared control plane has the chart and a running operator. */
export const sharedOperatorVariable = 'NEXUSOS_TEST_OPERATOR';

let withChart: Promise<AttachedCluster> | undefined;
let attached: Promise<AttachedCluster> | undefined;

/**
 * The control plane that tests share, with the chart and so with our kinds and guardrails: that of the test runner, or, when a
 * test is run by itself, one of this process's own. No operator is started. Asked again, it is the same.
 */
export function attachChart(): Promise<AttachedCluster> {
  withChart ??= attachCluster().then(async (cluster) => {
    if ((process.env[sharedClusterVariable] ?? '') === '') await installChart(cluster);
    return cluster;
  });
  return withChart;
}

/**
 * The control plane that scenarios share, with the chart installed and an operator running: that of the test runner, or,
 * when a scenario is run by itself, one of this process's own that ends with it. Asked again, it is the same.
 */
export function attachSystem(): Promise<AttachedCluster> {
  attached ??= attach();
  return attached;
}

async function attach(): Promise<AttachedCluster> {
  const cluster = await attachChart();
  if (process.env[sharedOperatorVariable] !== undefined) return cluster;
  const operator = await startOperator(cluster, { env: SHARED_SETTINGS });
  operator.unref();
  return cluster;
}
