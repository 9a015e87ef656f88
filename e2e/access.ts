// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '#hack/cluster/attached-cluster';

/** The eight verbs of RBAC that act on objects. */
export const VERBS = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
] as const;

/** A resource, or subresource, that the API server serves. */
export interface Served {
  /** `<group>/<resource>`, `pods/log` without a group. */
  readonly name: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespaced: boolean;
}

/** A question to the API server's authorizer. */
export interface Question {
  readonly user: string;
  readonly verb: string;
  readonly on: Served;
  readonly namespace?: string;
  readonly name?: string;
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly namespaced: boolean }[];
}

/** Everything that discovery tells of, each once, whichever versions it is served in. */
export async function discover({ admin }: AttachedCluster): Promise<readonly Served[]> {
  const groups = (await admin.get('/apis')) as unknown as {
    readonly groups: readonly {
      readonly name: string;
      readonly versions: readonly { readonly groupVersion: string }[];
    }[];
  };
  const found = new Map<string, Served>();
  const add = (group: string, list: ResourceList) => {
    for (const { name, namespaced } of list.resources) {
      const [resource = '', ...rest] = name.split('/');
      const full = group === '' ? name : `${group}/${name}`;
      found.set(full, { name: full, group, resource, subresource: rest.join('/'), namespaced });
    }
  };
  add('', (await admin.get('/api/v1')) as unknown as ResourceList);
  for (const { name, versions } of groups.groups) {
    for (const { groupVersion } of versions) {
      add(name, (await admin.get(`/apis/${groupVersion}`)) as unknown as ResourceList);
    }
  }
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether the authorizer says yes. */
export async function isAllowed({ admin }: AttachedCluster, question: Question): Promise<boolean> {
  const { user, verb, on, namespace = '', name = '' } = question;
  const { group, resource, subresource } = on;
  const review = await admin.create('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user,
      groups: ['system:authenticated'],
      resourceAttributes: { group, resource, subresource, verb, namespace, name },
    },
  });
  return (review['status'] as { readonly allowed: boolean }).allowed;
}

/** Everything that is allowed, as `<resource>: <verbs>` by resource, for one user in one place. */
export async function allowedIn(
  cluster: AttachedCluster,
  served: readonly Served[],
  place: { readonly user: string; readonly namespace?: string; readonly name?: string },
): Promise<Readonly<Record<string, string>>> {
  const allowed: Record<string, string> = {};
  for (const on of served) {
    const answers = await Promise.all(VERBS.map((verb) => isAllowed(cluster, { ...place, verb, on })));
    const verbs = VERBS.filter((_, i) => answers[i]);
    if (verbs.length > 0) allowed[on.name] = verbs.join(' ');
  }
  return allowed;
}
