// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import type { Cluster } from '#hack/cluster/cluster';
import { eventually } from '#hack/tools/eventually';
import { container } from './guardrail-objects.ts';
import { type ReadCondition, User } from './user.ts';

/** An ImageVerdict, as it is read. */
export interface SeenVerdict {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly spec: { readonly image: string };
  readonly status?: {
    readonly digest?: string;
    readonly proof?: string;
    readonly conditions?: readonly ReadCondition[];
    readonly policies?: readonly {
      readonly name: string;
      readonly outcome: string;
      readonly reason?: string;
      readonly message: string;
    }[];
  };
}

const resources = { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '10m', memory: '16Mi' } };

/** A pod of one image. */
export function imagePod(namespace: string, name: string, image: string): object {
  const metadata = { name, namespace };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container({ image, resources })] } };
}

/** What would make pods of an image, and makes none: it is known that the image is wanted. */
export function wantsImage(namespace: string, name: string, image: string): object {
  const labels = { app: name };
  const spec = { containers: [container({ image, resources })] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

/** A risk that is taken for an image of a policy; somebody else has to approve it. */
export function waiver(
  { name, policy, image }: { readonly name: string; readonly policy: string; readonly image: string },
  { lastsMs, spec }: { readonly lastsMs: number; readonly spec?: object },
): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageWaiver',
    metadata: { name, namespace: PLATFORM_NAMESPACE },
    spec: {
      policies: [policy],
      vulnerability: 'CVE-2026-0001',
      subjects: { images: [image] },
      reason: 'nothing calls it',
      ticket: 'SEC-1',
      expiresAt: new Date(Date.now() + lastsMs).toISOString(),
      ...spec,
    },
  };
}

/** Two people of the platform: who asks for waivers, and who approves them. */
export class RiskTakers {
  readonly #asker: User;
  readonly #approver: User;

  private constructor(asker: User, approver: User) {
    this.#asker = asker;
    this.#approver = approver;
  }

  static async of(cluster: Cluster): Promise<RiskTakers> {
    const groups = ['system:masters'];
    const [asker, approver] = await Promise.all(
      ['risk-asker', 'risk-approver'].map((user) => cluster.kubeconfigFor({ user, groups })),
    );
    return new RiskTakers(new User(cluster, asker), new User(cluster, approver));
  }

  /** One asks, the other approves. The API server tells who asked where it does not itself. */
  async take(object: object): Promise<void> {
    const { metadata } = object as {
      readonly metadata: { readonly name: string; readonly namespace: string };
    };
    const annotations = { 'nexusos.dev/created-by': 'risk-asker' };
    const asked = { ...object, metadata: { ...metadata, annotations } };
    await this.#asker.does(['create', '-f', '-'], JSON.stringify(asked));
    const patch = JSON.stringify({ spec: { approval: { decision: 'Approved', by: 'risk-approver' } } });
    const what = ['-n', metadata.namespace, `imagewaiver/${metadata.name}`];
    await this.#approver.does(['patch', ...what, '--type=merge', '-p', patch]);
  }
}

/** What kubectl said of many objects at once. */
export interface SaidOfMany {
  /** Names of those that were made. */
  readonly created: readonly string[];
  /** One for each that was not. */
  readonly refusals: readonly string[];
}

/** Somebody makes many pods by one kubectl, as from a file. */
export async function createsAll(
  cluster: Cluster,
  user: string,
  items: readonly object[],
): Promise<SaidOfMany> {
  const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const kubeconfig = await cluster.kubeconfigFor({ user });
  const { stdout, stderr } = await cluster.kubectl(['create', '-f', '-'], { stdin, kubeconfig });
  return {
    created: [...stdout.matchAll(/^pod\/(\S+) created$/gm)].map(([, name = '']) => name),
    refusals: stderr.split(/^(?=Error from server)/m).filter((one) => one.trim() !== ''),
  };
}

/** The verdicts of a namespace. */
export async function verdictsIn(admin: User, namespace: string): Promise<readonly SeenVerdict[]> {
  const list = await admin.sees<{ readonly items: readonly SeenVerdict[] }>('-n', namespace, 'imageverdicts');
  return list?.items ?? [];
}

/** The verdict on an image, once it says what is wanted of its first policy. */
export function verdictComes(
  admin: User,
  { namespace, image }: { readonly namespace: string; readonly image: string },
  wanted: { readonly outcome: string; readonly reason?: string | undefined },
): Promise<SeenVerdict> {
  return eventually(
    `${image} is ${wanted.outcome} ${wanted.reason ?? ''}`,
    async () => {
      const found = (await verdictsIn(admin, namespace)).find(({ spec }) => spec.image === image);
      if (found !== undefined && isSaid(found, wanted)) return found;
      throw new Error(JSON.stringify(found?.status?.policies ?? 'no verdict'));
    },
    240_000,
  );
}

function isSaid(
  { status }: SeenVerdict,
  wanted: { readonly outcome: string; readonly reason?: string | undefined },
): boolean {
  const [said] = status?.policies ?? [];
  return said?.outcome === wanted.outcome && said.reason === wanted.reason;
}

interface PodWrite {
  readonly verb: string;
  readonly requestURI: string;
  readonly objectRef?: { readonly resource?: string; readonly namespace?: string };
  readonly responseStatus: { readonly code: number };
  readonly responseObject?: { readonly spec?: PodImages };
}

interface PodImages {
  readonly containers?: readonly { readonly image: string }[];
  readonly ephemeralContainers?: readonly { readonly image: string }[];
}

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch']);

/** Images of all pods that ever were in a namespace, as the API server took them. The audit log has to hold the bodies of pods. */
export async function imagesThatEverRan(cluster: Cluster, namespace: string): Promise<readonly string[]> {
  const lines = (await readFile(cluster.auditLog ?? '', 'utf8')).split('\n').filter((line) => line !== '');
  const images = lines
    .map((line) => JSON.parse(line) as PodWrite)
    .filter((one) => one.objectRef?.resource === 'pods' && one.objectRef.namespace === namespace)
    .filter(isDone)
    .flatMap(({ responseObject }) => imagesIn(responseObject?.spec));
  return [...new Set(images)];
}

function isDone({ verb, requestURI, responseStatus }: PodWrite): boolean {
  return WRITES.has(verb) && responseStatus.code < 300 && !requestURI.includes('dryRun=');
}

function imagesIn({ containers = [], ephemeralContainers = [] }: PodImages = {}): readonly string[] {
  return [...containers, ...ephemeralContainers].map(({ image }) => image);
}
