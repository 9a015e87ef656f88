// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import type { Resource } from '../object.ts';

// Kinds of other people's CustomResourceDefinitions, which the platform has packs asked about (ADR 0071).

/**
 * Groups that the API server serves itself, of those that have a dot as groups of CustomResourceDefinitions have. What of them is worth a policy is asked
 * about already; the rest is what the cluster lives by, such as Leases: nobody may have that stand still. The chart has the same list.
 */
export const GROUPS_OF_KUBERNETES: readonly string[] = [
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'internal.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
  'storagemigration.k8s.io',
];

/** The most kinds that there may be. */
export const MAX_FOREIGN_KINDS = 64;

/** `example.com/v1/widgets=Widget`: as the chart tells the operator. */
const ENTRY =
  /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)+)\/(v[0-9][a-z0-9]{0,31})\/([a-z][a-z0-9]{0,62})=([A-Z][A-Za-z0-9]{0,62})$/;
const MAX_GROUP = 253;

/** Kinds, or what is wrong with the text, a line for each entry. */
export type ForeignKindsRead =
  | { readonly kind: 'ok'; readonly kinds: readonly Resource[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** Whether a group may be one of other people's CustomResourceDefinitions. */
export function isForeignGroup(group: string): boolean {
  const isOurs = group === GROUP || group.endsWith(`.${GROUP}`);
  return group.includes('.') && !isOurs && !GROUPS_OF_KUBERNETES.includes(group);
}

/** Reads `example.com/v1/widgets=Widget`, separated by commas. Each kind is there once, in one version. */
export function readForeignKinds(text: string): ForeignKindsRead {
  const entries = text === '' ? [] : text.split(',');
  if (entries.length > MAX_FOREIGN_KINDS)
    return { kind: 'refused', problems: [`found ${entries.length} kinds; allowed are ${MAX_FOREIGN_KINDS}`] };
  const kinds: Resource[] = [];
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const entry of entries) {
    const read = readEntry(entry, seen);
    if (typeof read === 'string') problems.push(read);
    else kinds.push(read);
  }
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'ok', kinds };
}

function readEntry(entry: string, seen: Set<string>): Resource | string {
  const [, group = '', version = '', plural = '', kind = ''] = ENTRY.exec(entry.trim()) ?? [];
  if (group === '' || group.length > MAX_GROUP)
    return `found ${JSON.stringify(entry.slice(0, 400))}; allowed is group/version/plural=Kind, such as example.com/v1/widgets=Widget`;
  if (!isForeignGroup(group))
    return `found group ${group}; allowed are groups of CustomResourceDefinitions of others: kinds of Kubernetes and of NexusOS are asked about already, or never`;
  const name = `${plural}.${group}`;
  if (seen.has(name)) return `found ${name} twice; allowed is each kind once, in one version`;
  seen.add(name);
  return { apiVersion: `${group}/${version}`, kind, plural, namespaced: true };
}
