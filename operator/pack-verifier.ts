// SPDX-License-Identifier: Apache-2.0
import type { Config } from './config.ts';
import { defined } from './core/object.ts';
import { tryFloor } from './floor-trial.ts';
import { BUNDLE_LIMITS } from './rego/bundle.ts';
import { toolchainAt, trialHost } from './rego/toolchain.ts';
import { verifyPack, type VerifyTools } from './rego/verify-pack.ts';
import { Verifier, type VerifierOptions } from './rego/verifier.ts';
import type { Client } from './runtime/client.ts';
import { clock } from './runtime/clock.ts';
import type { Registry } from './oci/client.ts';
import { fetchArtifact } from './pack-artifacts.ts';
import { HttpsFetcher } from './sources/https.ts';
import { operatorUserOf } from './setup.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** What verifies packs, and how it ends. */
export interface PackVerification {
  readonly verifier: Verifier;
  readonly close: () => Promise<void>;
}

/** What packs are read from, and who is told of it. */
export interface PackSources {
  readonly client: Client;
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Where no path is set, the shell's would be searched: this names nothing. */
const NO_COMPILER = '/nonexistent/opa';

const NOTHING = new Uint8Array();

/** What verifies packs, with the compiler that the settings name. Nothing is started before the first of them. */
export function packVerification(
  config: Pick<
    Config,
    'kubeconfig' | 'namespace' | 'opaPath' | 'policySourceCa' | 'policySourceHosts' | 'serviceAccount'
  >,
  { client, registry, metrics, log }: PackSources,
): PackVerification {
  const fetcher = new HttpsFetcher({
    trustedHosts: config.policySourceHosts,
    ...defined({ trustedCa: config.policySourceCa }),
    maxBytes: BUNDLE_LIMITS.bytes,
  });
  const settings = { platformNamespace: config.namespace, operatorUser: operatorUserOf(config) ?? '' };
  const tools: Omit<VerifyTools, 'fetch'> = {
    ...toolchainAt(config.opaPath ?? NO_COMPILER),
    // One for each verification: what it quarantines, and what it holds, goes with it.
    host: () => trialHost(metrics),
    tryFloor: (request, floor) => tryFloor(client, { request, floor, settings }),
    platformNamespace: config.namespace,
    now: () => clock.now(),
  };
  const verifier = new Verifier({
    fetchSource: fetcherOf({ fetcher, client, registry }),
    verify: (request, bytes = NOTHING) =>
      verifyPack(request, { ...tools, fetch: () => Promise.resolve({ kind: 'ok', bytes }) }),
    observe: (outcome, seconds) => {
      metrics.packVerificationsTotal.inc({ outcome: outcome === 'Verified' ? 'verified' : 'refused' });
      metrics.packVerificationSeconds.observe({}, seconds);
    },
    onError: (error, { pack }) => {
      metrics.packVerificationsTotal.inc({ outcome: 'failed' });
      log.error({ err: error, pack }, 'a pack could not be verified');
    },
  });
  const close = async (): Promise<void> => {
    verifier.stop();
    await fetcher.close();
  };
  return { verifier, close };
}

/** Fetches what packs name: by address, or from a registry as the namespace of the pack. */
function fetcherOf({
  fetcher,
  registry,
  client,
}: Pick<PackSources, 'client' | 'registry'> & {
  readonly fetcher: HttpsFetcher;
}): VerifierOptions['fetchSource'] {
  const maxBytes = BUNDLE_LIMITS.bytes;
  return async ({ content, pack, place }, signal) => {
    if (content.kind === 'bundle') return fetcher.get(content, signal);
    const [namespace = ''] = pack.split('/');
    const whose = place.kind === 'tenant' ? place.tenant : '';
    return content.kind === 'oci'
      ? fetchArtifact(content, namespace, { registry, client, maxBytes, whose, signal })
      : { kind: 'ok', bytes: NOTHING };
  };
}
