// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { ImageVerdictStatus } from '#crds/v1alpha1/image-verdict';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '#operator/core/object';
import type { BenchEnvironment } from './environment.ts';
import { type ImageSupply, REPOSITORY, ROOT } from './image-supply.ts';
import { watchObjects } from './object-watch.ts';
import { CREATORS, namespaceOf, RESOURCES } from './run-world.ts';
import { inParallel } from './statistics.ts';

const API_VERSION = 'nexusos.dev/v1alpha1';
const MANAGER = 'bench';
const TIMEOUT_MS = 1_800_000;
/** Containers of one pod template. */
const CONTAINERS = 10;
/** What the guardrails of tenants ask of each. */
const CONTAINER = {
  imagePullPolicy: 'Always',
  resources: RESOURCES,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 1000,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
};

function kind(name: string, plural: string, namespaced: boolean): Resource {
  return { apiVersion: API_VERSION, kind: name, plural, namespaced };
}

const VERDICTS = kind('ImageVerdict', 'imageverdicts', true);
const POLICIES = kind('ClusterImagePolicy', 'clusterimagepolicies', false);
const TRUST_ROOTS = kind('TrustRoot', 'trustroots', false);
const CRON_JOBS: Resource = { apiVersion: 'batch/v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true };

/** Has the namespace of a tenant use images: by templates, of which nobody makes pods. */
export async function useImages(
  { client }: BenchEnvironment,
  tenant: string,
  images: readonly string[],
): Promise<void> {
  const jobs = Array.from({ length: Math.ceil(images.length / CONTAINERS) }, (_, number) =>
    cronJob(`uses-${number}`, {
      namespace: namespaceOf(tenant),
      images: images.slice(number * CONTAINERS, (number + 1) * CONTAINERS),
    }),
  );
  await inParallel(jobs, CREATORS, (job) => client.create(CRON_JOBS, job, MANAGER));
}

function cronJob(
  name: string,
  { namespace, images }: { readonly namespace: string; readonly images: readonly string[] },
): KubeObject {
  const containers = images.map((image, number) => ({ ...CONTAINER, name: `c${number}`, image }));
  const template = { spec: { restartPolicy: 'Never', containers } };
  return {
    apiVersion: CRON_JOBS.apiVersion,
    kind: CRON_JOBS.kind,
    metadata: { name, namespace },
    spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: { template } } },
  };
}

/** An image of the supply, as templates name it: through what counts. */
export function imageAt({ proxy }: ImageSupply, digest: string): string {
  return `${proxy.host}/${REPOSITORY}@${digest}`;
}

/** Says whom to trust. Another `indent` is another text, and so another root to whoever goes by it. */
export async function setTrust(
  { client }: BenchEnvironment,
  { sigstore }: ImageSupply,
  indent = 0,
): Promise<void> {
  const trustedRoot = JSON.stringify(sigstore.trustedRoot, undefined, indent);
  const root = {
    apiVersion: API_VERSION,
    kind: TRUST_ROOTS.kind,
    metadata: { name: ROOT },
    spec: { trustedRoot },
  };
  await client.apply(TRUST_ROOTS, root, MANAGER);
}

/** Asks that images are signed, of all tenants but one. */
export async function setPolicy(
  { client }: BenchEnvironment,
  { policy }: ImageSupply,
  besides: string,
): Promise<void> {
  const namespaceSelector = {
    matchExpressions: [{ key: LABELS.tenant, operator: 'NotIn' as const, values: [besides] }],
  };
  const spec = { ...policy, namespaceSelector };
  await client.apply(
    POLICIES,
    { apiVersion: API_VERSION, kind: POLICIES.kind, metadata: { name: 'signed' }, spec },
    MANAGER,
  );
}

/** Verdicts as they come and change. */
export class VerdictWatch {
  readonly #found = new Map<string, ImageVerdictStatus | undefined>();
  readonly #watch: ReturnType<typeof watchObjects>;

  constructor({ client }: BenchEnvironment) {
    this.#watch = watchObjects(client, { resource: VERDICTS }, (verdict) => {
      const { namespace = '', name } = verdict.metadata;
      this.#found.set(`${namespace}/${name}`, verdict['status'] as ImageVerdictStatus | undefined);
    });
  }

  /**
   * Waits until so many images are as asked, each found to be so after `since`. In how many seconds from then.
   *
   * @throws Error when they are not in time, with what stands in the way of one.
   */
  async untilVerified(count: number, since: Date): Promise<number> {
    await this.#watch.started;
    const deadline = Date.now() + TIMEOUT_MS;
    for (;;) {
      const done = [...this.#found.values()].filter((status) => isVerified(status, since)).length;
      if (done >= count) return (Date.now() - since.getTime()) / 1000;
      if (Date.now() > deadline) throw new Error(`only ${done} of ${count}: ${this.#trouble(since)}`);
      await Promise.race([delay(100), this.#watch.broken]);
    }
  }

  /** How many bytes all of them are to the API server, about. */
  get bytes(): number {
    return JSON.stringify([...this.#found.values()]).length;
  }

  stop(): void {
    this.#watch.stop();
  }

  #trouble(since: Date): string {
    const open = [...this.#found].find(([, status]) => !isVerified(status, since));
    return JSON.stringify(open ?? 'no verdict at all');
  }
}

function isVerified(status: ImageVerdictStatus | undefined, since: Date): boolean {
  const isNew = Date.parse(status?.verifiedAt ?? '') >= since.getTime();
  return isNew && (status?.conditions ?? []).some((one) => one.type === 'Verified' && one.status === 'True');
}
