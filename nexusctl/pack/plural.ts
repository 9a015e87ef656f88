// SPDX-License-Identifier: Apache-2.0

/** Kinds whose plural follows no rule. */
const ODD: Readonly<Record<string, string>> = {
  Endpoints: 'endpoints',
  PodMetrics: 'pods',
  NodeMetrics: 'nodes',
};

/**
 * The resource of a kind, where no API server can be asked: NetworkPolicy -> networkpolicies, Ingress -> ingresses, as Kubernetes
 * names them, and nearly everybody else.
 */
export function pluralOf(kind: string): string {
  if (Object.hasOwn(ODD, kind)) return ODD[kind] ?? '';
  const name = kind.toLowerCase();
  if (/(?:s|x|z|ch|sh)$/.test(name)) return `${name}es`;
  return /[^aeiou]y$/.test(name) ? `${name.slice(0, -1)}ies` : `${name}s`;
}
