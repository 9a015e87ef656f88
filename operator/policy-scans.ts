// SPDX-License-Identifier: Apache-2.0
import type { Config } from './config.ts';
import type { PolicyScanning } from './controllers/index.ts';
import { REPORTS } from './core/scan/report.ts';
import { groupOf } from './core/scan/scannable.ts';
import type { Client } from './runtime/client.ts';
import { servedVersion, type Wanted, watchServed } from './runtime/served.ts';
import { BlastReporter } from './scan/blast-reporter.ts';
import { HostOnDemand } from './scan/host-on-demand.ts';
import { PolicyJudge } from './scan/judge.ts';
import { PolicyScanner } from './scan/scanner.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

const WANTED: Wanted = {
  group: groupOf(REPORTS),
  versions: [REPORTS.apiVersion.split('/').at(-1) ?? ''],
  resources: [REPORTS.plural],
};
/** How often it is looked whether the kinds of OpenReports have come or gone. */
const CHECK_MS = 60_000;

/** What judges what exists, and how it ends. */
export interface PolicyScans extends PolicyScanning {
  /** Calls `restart` when the kinds of OpenReports come or go: what is watched is fixed while the operator runs. */
  readonly restartWithReports: (restart: () => void) => void;
  readonly close: () => Promise<void>;
}

/** What judges what exists, with modules as replicas have them. Nothing runs before there is something to judge. */
export async function policyScans(
  config: Pick<Config, 'namespace' | 'policyInventory' | 'policyResources' | 'policyScanSeconds'>,
  { client, metrics, log }: { readonly client: Client; readonly metrics: Metrics; readonly log: Log },
): Promise<PolicyScans> {
  const host = new HostOnDemand({ platformWorkers: 1, tenantWorkers: 1, spareWorkers: 0, metrics });
  const judge = new PolicyJudge({
    client,
    inventoryKinds: config.policyInventory,
    platformNamespace: config.namespace,
    evaluate: host.evaluate,
    release: (digest) => host.release(digest),
    releaseData: (digest, dataDigest) => host.releaseData(digest, dataDigest),
  });
  const foreignKinds = config.policyResources;
  const reports = new BlastReporter({ client, judge, log, foreignKinds });
  const intervalMs = config.policyScanSeconds * 1000;
  const scanner = new PolicyScanner({ client, judge, metrics, log, intervalMs, foreignKinds });
  // Whoever cannot say now is asked again; until then there are no Reports.
  const found = await servedVersion(client, WANTED).catch(() => undefined);
  const onChange = (version: string | undefined) =>
    log.info({ version }, 'the kinds of OpenReports have come or gone: starting anew');
  return {
    reports,
    scanner,
    hasReports: found !== undefined,
    restartWithReports: (restart) => {
      watchServed(client, {
        wanted: WANTED,
        found,
        everyMs: CHECK_MS,
        onChange: (version) => {
          onChange(version);
          restart();
        },
      });
    },
    close: async () => {
      await Promise.all([reports.close(), scanner.close()]);
      await host.close();
    },
  };
}
