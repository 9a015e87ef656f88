// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { type ApiUser, apiUser } from './api-user.ts';
import { tenantManifest, type User } from './user.ts';

/** What a request of the traffic is for. */
export type Purpose = 'plain' | 'odd' | 'forbidden' | 'own';

/** One request, and what it came to. */
export interface Answered {
  readonly purpose: Purpose;
  readonly namespace: string;
  readonly status: number;
  /** The refusal; empty when it was none. */
  readonly message: string;
  /** When it was answered, by `performance.now()`. */
  readonly at: number;
  readonly tookMs: number;
}

/** Services of each tenant, which all requests but forbidden ones are about. */
const SERVICES = 5;
/** Of five requests one is for what is forbidden, and, while some are odd, about three of ten are. */
const ROUND: readonly Purpose[] = [
  'plain',
  'odd',
  'plain',
  'forbidden',
  'plain',
  'odd',
  'plain',
  'plain',
  'forbidden',
  'odd',
];

/** One of the platform's own ServiceAccounts, beside the operator's, of whose borders for tenants nobody is asked. */
const OWN = { user: `system:serviceaccount:${PLATFORM_NAMESPACE}:clerk`, groups: ['system:masters'] };

/** The namespace of a tenant. */
export function namespaceOf(tenant: string): string {
  return `${tenant}-main`;
}

/** A Service without an address. */
export function service(
  { tenant, name }: { readonly tenant: string; readonly name: string },
  { labels = {}, annotations = {} }: { readonly labels?: object; readonly annotations?: object } = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: namespaceOf(tenant), labels, annotations },
    spec: { clusterIP: 'None', ports: [{ port: 80 }] },
  };
}

/**
 * Tenants that change what they have, each as its own owner, until it is stopped: real writes, which new revisions of a pack are compared
 * on. Whatever is answered is kept.
 */
export class LiveTraffic {
  readonly answers: Answered[] = [];
  /** Whether what is odd is asked for, too: requests that differ from all that exists. */
  isOdd = false;
  /** Whether what is forbidden is asked for, too: while nobody forbids it, it would be made. */
  isForbidden = false;
  /** Whether NexusOS itself writes, too, in place of what is odd. */
  isOwn = false;
  readonly #users: readonly ApiUser[];
  readonly #own: ApiUser;
  readonly #loops: readonly Promise<void>[];
  #isStopped = false;

  private constructor(tenants: readonly string[], users: readonly ApiUser[], own: ApiUser) {
    this.#users = users;
    this.#own = own;
    this.#loops = tenants.map((tenant, index) => this.#loop(tenant, users[index]!));
  }

  /** Makes the tenants with what they have, the first `tagged` of each labelled `tier: web`, and begins. */
  static async start(
    cluster: AttachedCluster,
    {
      admin,
      tenants,
      tagged,
    }: { readonly admin: User; readonly tenants: readonly string[]; readonly tagged: number },
  ): Promise<LiveTraffic> {
    await admin.applies(...tenants.map((name) => tenantManifest(name)));
    for (const name of tenants) await admin.awaitsReady(`tenant/${name}`);
    for (const tenant of tenants) {
      const labels = (index: number) => (index < tagged ? { labels: { tier: 'web' } } : {});
      const all = Array.from({ length: SERVICES }, (_, i) => service({ tenant, name: `s${i}` }, labels(i)));
      await admin.applies(...all);
    }
    const users = await Promise.all(tenants.map((name) => apiUser(cluster, { user: `${name}-admin` })));
    return new LiveTraffic(tenants, users, await apiUser(cluster, OWN));
  }

  /** Answers to what was asked from a moment on: what was under way already is judged to its end by what decided when it came. */
  since(from: number): readonly Answered[] {
    return this.answers.filter(({ at, tookMs }) => at - tookMs >= from);
  }

  /** Waits until every tenant was answered so many times from now on. */
  async goesOn(times = 20): Promise<void> {
    const from = performance.now();
    await eventually(`${times} answers to each tenant`, () => {
      const counts = Map.groupBy(this.since(from), ({ namespace }) => namespace);
      return counts.size === this.#users.length && [...counts.values()].every((all) => all.length >= times);
    });
  }

  /** Ends it, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    await Promise.all([...this.#users, this.#own].map((user) => user.close()));
  }

  async #loop(tenant: string, user: ApiUser): Promise<void> {
    for (let round = 0; !this.#isStopped; round += 1) {
      const purpose = this.#purposeOf(round);
      const startedAt = performance.now();
      const { status, message } = await ask(purpose === 'own' ? this.#own : user, {
        tenant,
        purpose,
        round,
      }).catch((error: unknown) => ({
        status: 0,
        message: String(error),
      }));
      const at = performance.now();
      this.answers.push({
        purpose,
        namespace: namespaceOf(tenant),
        status,
        message,
        at,
        tookMs: at - startedAt,
      });
    }
  }

  #purposeOf(round: number): Purpose {
    const wanted = ROUND[round % ROUND.length] ?? 'plain';
    if (wanted === 'odd' && this.isOwn) return 'own';
    const isLeftOut = (wanted === 'odd' && !this.isOdd) || (wanted === 'forbidden' && !this.isForbidden);
    return isLeftOut ? 'plain' : wanted;
  }
}

interface Request {
  readonly tenant: string;
  readonly purpose: Purpose;
  readonly round: number;
}

function ask(user: ApiUser, { tenant, purpose, round }: Request) {
  const path = `/api/v1/namespaces/${namespaceOf(tenant)}/services`;
  if (purpose === 'forbidden')
    return user.send(
      'POST',
      path,
      service({ tenant, name: `forbidden-${round}` }, { labels: { forbidden: 'yes' } }),
    );
  const annotations = { round: String(round), purpose };
  return user.send('PATCH', `${path}/s${round % SERVICES}`, { metadata: { annotations } });
}
