// SPDX-License-Identifier: Apache-2.0
import type { KindDescriptor } from '#crds/openapi/kind';
import { API_VERSION, LABELS } from '#crds/v1alpha1/names';
import { POLICY_EXEMPTION } from '#crds/v1alpha1/policy-exemption';
import { TENANT } from '#crds/v1alpha1/tenant';
import type { KubeObject } from '#operator/core/object';
import type { Exemption } from '#operator/core/policy/exemption';
import type { NamespaceFacts, RequestFacts, TenantFacts } from '#operator/core/policy/facts';
import type { ImageTeller } from '#operator/core/policy/image-input';
import { exemptionOf, namespaceFacts, tenantFacts } from '#operator/core/policy/objects';
import { namespaceNames } from '#operator/core/tenant/namespaces';
import type { Tenant } from '#operator/core/tenant/tenant';

/** By namespace, what says what is known of its images. Undefined: nobody knows. */
export type ImagesIn = ((namespace: string) => ImageTeller) | undefined;

/** What is known beside the objects that are judged. */
export interface World {
  readonly platformNamespace: string;
  readonly namespaces: ReadonlyMap<string, NamespaceFacts>;
  readonly tenants: ReadonlyMap<string, TenantFacts>;
  /** Those of the namespace of the platform. */
  readonly exemptions: readonly Exemption[];
  readonly images: ImagesIn;
  /** What could not be looked at, in words. */
  readonly notes: readonly string[];
}

/** What a world is made of, beside objects. */
export interface WorldContext {
  readonly platformNamespace: string;
  readonly images: ImagesIn;
  readonly notes: readonly string[];
}

/** The world that some objects tell of: Namespaces, Tenants and PolicyExemptions among them. One that does not fit its kind is passed over, and told. */
export function worldOf(objects: readonly KubeObject[], context: WorldContext): World {
  const named = objects.filter((one) => typeof one.metadata?.name === 'string');
  const tenants = readAll(named, TENANT);
  const exemptions = readAll(named, POLICY_EXEMPTION);
  const { platformNamespace, notes } = context;
  const own = named.filter(isNamespace).map(namespaceFacts);
  const known = [...tenants.read.flatMap((one) => namespacesOf(one as Tenant)), ...own];
  return {
    ...context,
    namespaces: new Map(known.map((one) => [one.name, one])),
    tenants: new Map(tenants.read.map(tenantFacts).map((one) => [one.name, one])),
    exemptions: exemptions.read
      .filter(({ metadata }) => metadata.namespace === platformNamespace)
      .map(exemptionOf),
    notes: [...notes, ...tenants.faults, ...exemptions.faults],
  };
}

function isNamespace({ apiVersion, kind }: KubeObject): boolean {
  return apiVersion === 'v1' && kind === 'Namespace';
}

/** What a pack may know of a request in a namespace. One that nothing is known of has no labels. */
export function factsIn(world: World, name: string): RequestFacts {
  const namespace = name === '' ? undefined : (world.namespaces.get(name) ?? { name, labels: {} });
  const tenant = world.tenants.get(namespace?.labels[LABELS.tenant] ?? '');
  const images = world.images?.(name);
  return { namespace, tenant, ...(images !== undefined && { images }) };
}

/** Objects of a kind of ours with their defaults, which files leave out; and why others are passed over. */
function readAll(
  objects: readonly KubeObject[],
  { kind, spec }: KindDescriptor,
): { readonly read: readonly KubeObject[]; readonly faults: readonly string[] } {
  const read: KubeObject[] = [];
  const faults: string[] = [];
  for (const object of objects) {
    if (object.kind !== kind || object.apiVersion !== API_VERSION) continue;
    const parsed = spec.safeParse(object['spec']);
    if (parsed.success) read.push({ ...object, spec: parsed.data });
    else faults.push(faultOf(object, parsed.error.issues));
  }
  return { read, faults };
}

function faultOf(
  { kind, metadata }: KubeObject,
  [issue]: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string {
  const where = ['spec', ...(issue?.path ?? []).map(String)].join('.');
  return `${kind} ${metadata.name} is passed over: ${where}: ${issue?.message ?? 'it does not fit'}`;
}

/** As the operator would label them: manifests of tenants seldom have the Namespaces with them. */
function namespacesOf(tenant: Tenant): readonly NamespaceFacts[] {
  const labels = { [LABELS.tenant]: tenant.metadata.name };
  return namespaceNames(tenant).map((name) => ({ name, labels }));
}
