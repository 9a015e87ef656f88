// SPDX-License-Identifier: Apache-2.0
import type { ClusterStatus } from './named-cluster.ts';

/** A table for people: what the cluster is, then one line per component. */
export function formatStatus(status: ClusterStatus, now: Date): string {
  const { description, components, supervisorPid } = status;
  const rows: readonly (readonly [string, string])[] = [
    ['name', description.name],
    ['server', description.url],
    ['version', description.kubernetesVersion],
    ['age', formatAge(now.getTime() - Date.parse(description.startedAt))],
    ['kubeconfig', description.kubeconfigPath],
    ['data', description.dataDir],
    ['supervisor', `pid ${supervisorPid}`],
    ...components.map(
      ({ name, pid }) => [name, pid === undefined ? 'ended; `up` starts it again' : `pid ${pid}`] as const,
    ),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join('\n');
}

/** formatAge(3_725_000) -> '1h2m' */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  const units = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3600) % 24],
    ['m', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ] as const;
  const first = units.findIndex(([, amount]) => amount > 0);
  const shown = first === -1 ? units.slice(-1) : units.slice(first, first + 2);
  return shown.map(([unit, amount]) => `${amount}${unit}`).join('');
}
