// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { eventually } from '../tools/eventually.ts';
import { PLATFORM_NAMESPACE } from './chart.ts';
import { timedPack, VersionWatch } from './version-watch.ts';
import type { WebhookSystem } from './webhook-process.ts';

/** The status of the pack, as far as it is looked at. */
export interface DrilledStatus {
  readonly phase?: string;
  readonly activeRevision?: string;
  readonly candidateRevision?: string;
  readonly previousRevision?: string;
  readonly rejected?: readonly string[];
  readonly replicas?: { readonly known: number; readonly enforcing: number };
  readonly stage?: { readonly name: string };
  readonly history?: readonly { readonly revision: string; readonly outcome: string }[];
}

const NAME = 'drilled';
const PATH = `/apis/nexusos.dev/v1alpha1/namespaces/${PLATFORM_NAMESPACE}/policypacks/${NAME}`;
/** Answers of each replica by which it is known that it has gone over. */
const ENOUGH = 5;

/** A pack of two versions on a running system, and the way from one to the other and back, as it is seen from outside. */
export class RollbackDrill {
  readonly watch: VersionWatch;
  readonly #cluster: AttachedCluster;
  readonly #webhooks: WebhookSystem;
  /** The versions of revisions. */
  readonly #versions = new Map<string, string>();

  constructor(
    cluster: AttachedCluster,
    { webhooks, namespace }: { readonly webhooks: WebhookSystem; readonly namespace: string },
  ) {
    this.#cluster = cluster;
    this.#webhooks = webhooks;
    this.watch = new VersionWatch({ pack: `${PLATFORM_NAMESPACE}/${NAME}`, namespace });
    for (const one of this.#running()) this.watch.add(one);
  }

  /** Applies a version, with kubectl. */
  async applies(
    version: string,
    more: { readonly rego?: string; readonly rollout?: object } = {},
  ): Promise<void> {
    const pack = timedPack({ namespace: PLATFORM_NAMESPACE, name: NAME, version }, more);
    await this.#kubectl(['apply', '-f', '-'], JSON.stringify(pack));
  }

  /** Waits until all replicas decide by a version that was applied. */
  async decides(version: string): Promise<void> {
    await eventually(`${version} decides`, async () => {
      const { activeRevision = '', phase } = await this.status();
      const isIt = phase === 'Active' && (this.#versions.get(activeRevision) ?? version) === version;
      if (isIt && !this.#versions.has(activeRevision)) this.#versions.set(activeRevision, version);
      return isIt && this.#versions.get(activeRevision) === version;
    });
    await this.hasGoneOverTo(version);
  }

  /** Goes back to the other version by `spec.rollbackTo`; how long, in milliseconds, until the last answer of any replica by the one before. */
  async goesBack(): Promise<number> {
    const { activeRevision = '', previousRevision = '' } = await this.status();
    const [from, to] = [activeRevision, previousRevision].map((one) => this.versionOf(one));
    if (!from || !to) throw new Error(`no two versions are known: ${activeRevision} ${previousRevision}`);
    const beganAt = performance.now();
    await this.asks({ rollbackTo: previousRevision });
    await this.hasGoneOverTo(to);
    return Math.max(0, (this.watch.last(from, beganAt)?.at ?? beganAt) - beganAt);
  }

  /** The version of a revision that has decided; empty for others. */
  versionOf(revision: string): string {
    return this.#versions.get(revision) ?? '';
  }

  /** Patches the spec, with kubectl. */
  async asks(spec: object): Promise<void> {
    const patch = JSON.stringify({ spec });
    await this.#kubectl(['-n', PLATFORM_NAMESPACE, 'patch', 'policypack', NAME, '--type=merge', '-p', patch]);
  }

  /** Takes `spec.rollbackTo` out. */
  async letsGo(): Promise<void> {
    await this.asks({ rollbackTo: null });
  }

  /** Waits until every replica that runs decides by a version, and says so. */
  async hasGoneOverTo(version: string): Promise<void> {
    await eventually(`all replicas say that they decide by ${version}`, async () => {
      const { replicas } = await this.status();
      return replicas?.enforcing === this.#running().length;
    });
    const since = performance.now();
    await eventually(`all replicas decide by ${version}`, () => {
      const counts = this.watch.counts(version, since);
      return this.#running().every(({ port }) => (counts.get(port) ?? 0) >= ENOUGH);
    });
  }

  /** The status of the pack now. */
  async status(): Promise<DrilledStatus> {
    const found = (await this.#cluster.admin.get(PATH)) as { readonly status?: DrilledStatus } | undefined;
    return found?.status ?? {};
  }

  #running() {
    return this.#webhooks.processes.filter(({ process }) => !process.hasEnded);
  }

  async #kubectl(args: readonly string[], stdin?: string): Promise<void> {
    const { code, stderr } = await this.#cluster.kubectl(args, stdin === undefined ? {} : { stdin });
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  }
}
