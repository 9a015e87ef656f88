// SPDX-License-Identifier: Apache-2.0
import type { User } from './user.ts';

/** As much of the kind of OpenReports as is written: its own definition is for its users to install. */
const REPORT_KIND = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'reports.openreports.io' },
  spec: {
    group: 'openreports.io',
    scope: 'Namespaced',
    names: { kind: 'Report', plural: 'reports', singular: 'report', listKind: 'ReportList' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** Serves the kind of Reports, as who has OpenReports installed does. Before the operator starts: it looks for it then, and once a minute. */
export async function servesReports(admin: User): Promise<void> {
  await admin.does(['apply', '-f', '-'], JSON.stringify(REPORT_KIND));
  await admin.does(['wait', '--for=condition=Established', 'crd/reports.openreports.io', '--timeout=60s']);
}

/** What a Report says of an object. */
export interface Reported {
  readonly policy: string;
  readonly rule: string;
  readonly result: string;
  readonly message: string;
  readonly resources: readonly { readonly kind: string; readonly name: string }[];
}

/** What Reports say of one object of a namespace. */
export async function saidInReports(
  admin: User,
  { namespace, kind, name }: { readonly namespace: string; readonly kind: string; readonly name: string },
): Promise<readonly Reported[]> {
  const list = await admin.sees<{ readonly items: readonly { readonly results: readonly Reported[] }[] }>(
    '-n',
    namespace,
    'reports',
  );
  const all = (list?.items ?? []).flatMap(({ results }) => results);
  return all.filter(({ resources: [one] }) => one?.kind === kind && one.name === name);
}
