// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';

const API = '/apis/nexusos.dev/v1alpha1';
const REPLICAS = `${API}/namespaces/${PLATFORM_NAMESPACE}/policyreplicas`;
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${PLATFORM_NAMESPACE}/leases`;

interface Named {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

/** A pack, as far as a replica goes by it. */
export interface PlayedPack extends Named {
  readonly status?: Readonly<
    Partial<Record<'activeRevision' | 'candidateRevision' | 'previousRevision' | 'phase', string>>
  >;
}

/** A process that answers the API server, as far as the operator can tell: it says what a real one would. */
export class PlayedReplica {
  readonly #cluster: AttachedCluster;
  readonly #name: string;
  /** What else it tells in its status, given the packs that there are: what it has counted, or cannot load. */
  tells: (packs: readonly PlayedPack[]) => Readonly<Record<string, unknown>> = () => ({});
  #isPlaying = true;
  #play: Promise<void> = Promise.resolve();

  constructor(cluster: AttachedCluster, name: string) {
    this.#cluster = cluster;
    this.#name = name;
  }

  /** Begins, and goes on until it is stopped. */
  async start(): Promise<void> {
    const metadata = { name: this.#name, namespace: PLATFORM_NAMESPACE };
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata,
      spec: { holderIdentity: this.#name, leaseDurationSeconds: 3600 },
    };
    await this.#must('POST', LEASES, lease);
    await this.#must('POST', REPLICAS, {
      apiVersion: 'nexusos.dev/v1alpha1',
      kind: 'PolicyReplica',
      metadata,
      spec: {},
    });
    this.#play = this.#goOn();
  }

  /** Ends it: nothing more is told. */
  async stop(): Promise<void> {
    this.#isPlaying = false;
    await this.#play;
  }

  /** A busy API server may have no answer at the moment: then it is asked again, as a real one would. */
  async #goOn(): Promise<void> {
    let told = '';
    while (this.#isPlaying) {
      told = await this.#sayAfter(told).catch(() => told);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #sayAfter(told: string): Promise<string> {
    const status = await this.#status();
    const text = JSON.stringify(status);
    if (text !== told) await this.#tell(status);
    return text;
  }

  #tell(status: object): Promise<void> {
    const metadata = { name: this.#name, namespace: PLATFORM_NAMESPACE };
    const body = { apiVersion: 'nexusos.dev/v1alpha1', kind: 'PolicyReplica', metadata, status };
    return this.#must('PATCH', `${REPLICAS}/${this.#name}/status`, body);
  }

  /** It has loaded what packs name and revisions are there of, and decides by what is active. */
  async #status(): Promise<{ readonly prepared: readonly string[]; readonly enforcing: readonly string[] }> {
    const packs = (await this.#list('policypacks')) as readonly PlayedPack[];
    const there = new Set((await this.#list('policypackrevisions')).map(keyOf));
    const keys = (pack: PlayedPack, names: readonly (string | undefined)[]) =>
      names.filter((one) => one !== undefined).map((one) => `${pack.metadata.namespace}/${one}`);
    const prepared = packs.flatMap((pack) => {
      const { activeRevision, candidateRevision, previousRevision } = pack.status ?? {};
      return keys(pack, [activeRevision, candidateRevision, previousRevision]);
    });
    const enforcing = packs.flatMap((pack) => {
      const { activeRevision, candidateRevision, phase } = pack.status ?? {};
      return keys(pack, [activeRevision, phase === 'Cohort' ? candidateRevision : undefined]);
    });
    const isThere = (one: string): boolean => there.has(one);
    return {
      prepared: [...new Set(prepared)].filter(isThere).toSorted(),
      enforcing: [...new Set(enforcing)].filter(isThere).toSorted(),
      ...this.tells(packs),
    };
  }

  async #list(plural: string): Promise<readonly Named[]> {
    const { items } = (await this.#cluster.admin.get(`${API}/${plural}`)) as {
      readonly items: readonly Named[];
    };
    return items;
  }

  async #must(method: 'POST' | 'PATCH', path: string, body: Record<string, unknown>): Promise<void> {
    const query = method === 'PATCH' ? '?fieldManager=played&force=true' : '';
    const { status, text } = await this.#cluster.admin.send(method, path + query, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
  }
}

function keyOf({ metadata }: Named): string {
  return `${metadata.namespace}/${metadata.name}`;
}
