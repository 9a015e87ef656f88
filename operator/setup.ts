// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Config, LEASE_NAME, readConfig } from './config.ts';
import { type Credentials, credentialsFrom } from './runtime/credentials.ts';
import type { LeaderElectionOptions } from './runtime/leader-election.ts';
import { ConfigError } from './settings.ts';

/** The settings; says what is wrong with them, and ends, before there is a log: its level is one of them. */
export function readConfigOrExit(): Config {
  try {
    return readConfig(process.env, process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error);
    return process.exit(2);
  }
}

/** A pod's own credentials, unless the settings say otherwise. */
export function credentialsOf(config: Config): Promise<Credentials> {
  return credentialsFrom(config, process.env);
}

/** The user that the operator is to the API server: its ServiceAccount. A kubeconfig may be anybody's. */
export function operatorUserOf({
  kubeconfig,
  namespace,
  serviceAccount,
}: Pick<Config, 'kubeconfig' | 'namespace' | 'serviceAccount'>): string | undefined {
  return kubeconfig === undefined ? `system:serviceaccount:${namespace}:${serviceAccount}` : undefined;
}

/** The shares of the lease that client-go's own defaults have. */
export function leaderElectionOf(config: Config): LeaderElectionOptions | undefined {
  if (!config.leaderElection) return undefined;
  return {
    namespace: config.namespace,
    name: LEASE_NAME,
    leaseDurationMs: config.leaseDurationMs,
    renewDeadlineMs: config.leaseDurationMs * 0.7,
    retryPeriodMs: config.leaseDurationMs * 0.15,
    amongShards: true,
  };
}

/** Of this process, unlike that of any other. */
export function identityOf({ identity }: Config): string {
  return identity ?? `${hostname()}_${randomBytes(4).toString('hex')}`;
}
