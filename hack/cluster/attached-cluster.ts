// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiClient } from './api-client.ts';
import { issue } from './certificates.ts';
import type { ComponentName } from './components.ts';
import type { ClusterDescription } from './description.ts';
import { kubeconfigText, type KubeconfigContent } from './kubeconfig.ts';
import type { RunResult } from '../tools/run-program.ts';
import { type KubectlOptions, runKubectl } from './kubectl.ts';
import { type PkiFiles, pkiFiles, readAuthority, readLeaf } from './pki.ts';
import { SupervisorClient } from './supervisor-client.ts';
import type { ComponentExit } from './supervisor-protocol.ts';

/** Who a kubeconfig acts as: the user's name and groups, as RBAC knows them. */
export interface Identity {
  readonly user: string;
  readonly groups?: readonly string[];
}

/** The open connections to a running cluster. */
export interface ClusterConnection {
  readonly description: ClusterDescription;
  readonly admin: ApiClient;
  readonly supervisor: SupervisorClient;
}

/** Connects to the cluster that `description` tells of. Throws when its supervisor does not answer. */
export async function connectCluster(description: ClusterDescription): Promise<AttachedCluster> {
  const supervisor = await SupervisorClient.connect(description.socketPath);
  return new AttachedCluster({ description, supervisor, admin: await adminClient(description) });
}

/** A client that acts as the administrator of a cluster. */
export async function adminClient(description: ClusterDescription): Promise<ApiClient> {
  const pki = pkiFiles(join(description.dataDir, 'pki'));
  return new ApiClient({
    url: description.url,
    caCertificate: await readFile(pki.certificate('ca'), 'utf8'),
    client: await readLeaf(pki, 'admin'),
  });
}

/** A running cluster to use; somebody else may own it. */
export class AttachedCluster {
  readonly description: ClusterDescription;
  /** As the administrator. */
  readonly admin: ApiClient;
  protected readonly supervisor: SupervisorClient;
  readonly #pki: PkiFiles;

  constructor(connection: ClusterConnection) {
    this.description = connection.description;
    this.admin = connection.admin;
    this.supervisor = connection.supervisor;
    this.#pki = pkiFiles(join(connection.description.dataDir, 'pki'));
  }

  /** `https://127.0.0.1:<port>` */
  get url(): string {
    return this.description.url;
  }

  /** The authority's certificate, PEM in base64. */
  get caData(): string {
    return this.description.caData;
  }

  /** The administrator's kubeconfig. */
  get kubeconfigPath(): string {
    return this.description.kubeconfigPath;
  }

  /** The API server's audit log, JSON lines; undefined without audit. */
  get auditLog(): string | undefined {
    return this.description.auditLog;
  }

  /** The path of a kubeconfig that acts as `identity`, by a client certificate of its own. */
  async kubeconfigFor(identity: Identity): Promise<string> {
    const authority = await readAuthority(this.#pki);
    const request = {
      commonName: identity.user,
      organizations: identity.groups ?? [],
      usages: ['client'] as const,
    };
    return this.#writeKubeconfig(identity.user, issue(authority, request, new Date()));
  }

  /** The path of a kubeconfig that acts as a service account, by a token that is good for an hour. */
  async serviceAccountKubeconfig(namespace: string, name: string): Promise<string> {
    const token = await this.serviceAccountToken(namespace, name);
    return this.#writeKubeconfig(`system:serviceaccount:${namespace}:${name}`, { token });
  }

  /** A token of the service account, from the TokenRequest API, good for an hour unless told otherwise. */
  async serviceAccountToken(namespace: string, name: string, lifetimeSeconds = 3600): Promise<string> {
    const answer = await this.admin.create(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: lifetimeSeconds },
    });
    return (answer as { readonly status: { readonly token: string } }).status.token;
  }

  /** Runs kubectl; a non-zero code is a result, not an error. */
  kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<RunResult> {
    const kubeconfig = options.kubeconfig ?? this.kubeconfigPath;
    // In the user's own folder every cluster would leave its discovery cache behind, as each has another
    // port.
    const cacheDir = join(this.description.dataDir, 'kubectl-cache');
    return runKubectl(this.description.kubectlPath, ['--cache-dir', cacheDir, ...args], {
      ...options,
      kubeconfig,
    });
  }

  /** What a component has written so far, from all its starts. */
  async logs(component: ComponentName): Promise<string> {
    return readFile(join(this.description.dataDir, 'logs', `${component}.log`), 'utf8');
  }

  /** Ends a component (SIGTERM, SIGKILL two seconds later) and starts it again as it was. It need not be ready yet. */
  restart(component: ComponentName): Promise<void> {
    return this.supervisor.ask({ op: 'restart', name: component });
  }

  /** Sends a signal to a component. A component that ends stays down until `restart`. */
  kill(component: ComponentName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return this.supervisor.ask({ op: 'kill', name: component, signal });
  }

  /** Calls `listener` for every component that ends, until the function it returns is called. */
  onComponentExit(listener: (exit: ComponentExit) => void): () => void {
    return this.supervisor.onExit(listener);
  }

  /** Lets go of the cluster, which runs on. */
  async close(): Promise<void> {
    this.supervisor.close();
    await this.admin.close();
  }

  async #writeKubeconfig(user: string, credential: KubeconfigContent['credential']): Promise<string> {
    const text = kubeconfigText({
      clusterName: this.description.name,
      url: this.url,
      caCertificate: Buffer.from(this.caData, 'base64').toString('utf8'),
      user,
      credential,
    });
    // Named by its content: users have names that files may not, and two processes may ask at once.
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    const path = join(this.description.dataDir, 'kubeconfigs', `${hash}.kubeconfig`);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }
}
