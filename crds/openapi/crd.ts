// SPDX-License-Identifier: Apache-2.0
import type { KindDescriptor } from './kind.ts';
import { type Schema, toStructural } from './structural.ts';

/**
 * The CustomResourceDefinition of a kind. Pure: the same descriptor always gives the same object, so that the
 * checked-in manifest can be compared with it.
 */
export function toCustomResourceDefinition(kind: KindDescriptor): Schema {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}`, labels: { 'app.kubernetes.io/part-of': 'nexusos' } },
    spec: {
      group: kind.group,
      scope: kind.scope,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: kind.shortNames,
        categories: kind.categories,
      },
      versions: [version(kind)],
    },
  };
}

function version(kind: KindDescriptor): Schema {
  return {
    name: kind.version,
    served: true,
    storage: true,
    additionalPrinterColumns: kind.columns,
    ...(kind.selectableFields && {
      selectableFields: kind.selectableFields.map((jsonPath) => ({ jsonPath })),
    }),
    ...(kind.status && { subresources: { status: {} } }),
    schema: { openAPIV3Schema: rootSchema(kind) },
  };
}

/** The schema of a whole object of a kind. */
export function rootSchema(kind: KindDescriptor): Schema {
  return {
    type: 'object',
    description: kind.description,
    required: ['spec'],
    ...(kind.rules.length > 0 && { 'x-kubernetes-validations': kind.rules }),
    properties: {
      apiVersion: { type: 'string', description: 'The version of the API that this object is written in.' },
      kind: { type: 'string', description: 'The kind of this object.' },
      metadata: { type: 'object' },
      spec: toStructural(kind.spec, 'spec'),
      ...(kind.status && { status: toStructural(kind.status, 'status') }),
    },
  };
}
