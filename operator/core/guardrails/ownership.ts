// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { type Cel, type Guardrail, type GuardrailSettings, isTrusted, quote, type Rule } from './policy.ts';

const MANAGED_LABEL = quote(LABELS.managedBy);
const ALLOWED_EDIT = quote('changes in the Tenant; NexusOS makes this and would undo any other change');

function isManaged(object: Cel): Cel {
  return `(has(${object}.metadata) && has(${object}.metadata.labels) && ${MANAGED_LABEL} in ${object}.metadata.labels && ${object}.metadata.labels[${MANAGED_LABEL}] == ${quote(MANAGED_BY)})`;
}

/** Labels of an object, also of one that has none. */
function labelsOf(object: Cel): Cel {
  return `(${object} != null && has(${object}.metadata) && has(${object}.metadata.labels) ? ${object}.metadata.labels : {})`;
}

/** The same keys that start so, with the same values, before and after. */
function sameLabels(prefix: string): Cel {
  const ours = `k.startsWith(${quote(prefix)})`;
  return [
    `variables.labels.all(k, !${ours} || (k in variables.oldLabels && variables.oldLabels[k] == variables.labels[k]))`,
    `variables.oldLabels.all(k, !${ours} || k in variables.labels)`,
  ].join(' && ');
}

const LABEL_VARIABLES = {
  labels: labelsOf('object'),
  oldLabels: labelsOf('oldObject'),
} as const;

function labelRule(): Rule {
  return {
    field: 'metadata.labels',
    holds: `request.operation == 'DELETE' || (${sameLabels(`${GROUP}/`)})`,
    found: quote(`a change of labels that start with ${GROUP}/`),
    allowed: quote('labels of your own prefix: these say whose the object is'),
  };
}

/** What names one of our objects as its owner would pass for something that NexusOS made: a Job for that of a Run. */
function ownerRule(): Rule {
  return {
    field: 'metadata.ownerReferences',
    holds: `request.operation == 'DELETE' || ${ourOwnersOf('object')}.all(r, r in ${ourOwnersOf('oldObject')})`,
    found: `${ourOwnersOf('object')}.map(r, r.kind + ' ' + r.name).join(', ')`,
    allowed: quote(`owners of other groups than ${GROUP}`),
  };
}

/** Owner references to objects of ours, also of an object that has none. */
function ourOwnersOf(object: Cel): Cel {
  return `(${object} != null && has(${object}.metadata) && has(${object}.metadata.ownerReferences) ? ${object}.metadata.ownerReferences.filter(r, r.apiVersion.startsWith(${quote(`${GROUP}/`)})) : [])`;
}

/** Keeps what NexusOS makes in a namespace, and the marks by which it knows its own, from everybody else. */
export function managedObjectGuardrail(settings: GuardrailSettings): Guardrail {
  const name = "(request.name != '' ? request.name : variables.objectName)";
  return {
    name: 'managed-objects',
    match: [
      {
        apiGroups: ['*'],
        resources: ['*/*'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Namespaced',
      },
    ],
    conditions: { untrusted: `!(${isTrusted(settings)})` },
    variables: {
      ...LABEL_VARIABLES,
      objectName:
        "(object != null && has(object.metadata) && has(object.metadata.name) ? object.metadata.name : '')",
      wasManaged: `oldObject != null && ${isManaged('oldObject')}`,
      isManaged: `object != null && ${isManaged('object')}`,
    },
    binds: 'namespaces',
    rules: [
      {
        field: `metadata.labels["${LABELS.managedBy}"]`,
        holds: '!variables.wasManaged && !variables.isManaged',
        found: quote(MANAGED_BY),
        allowed: ALLOWED_EDIT,
      },
      labelRule(),
      ownerRule(),
      {
        field: 'metadata.name',
        holds: `request.operation != 'CREATE' || !(${name} == 'nexusos' || ${name}.startsWith('nexusos-'))`,
        found: name,
        allowed: quote('names that neither are nexusos nor start with nexusos-'),
      },
      {
        field: 'type',
        holds:
          "request.resource.group != '' || request.resource.resource != 'secrets' || object == null || !has(object.type) || object.type != 'kubernetes.io/service-account-token'",
        found: quote('kubernetes.io/service-account-token'),
        allowed: quote('tokens that end, by kubectl create token'),
      },
    ],
  };
}

/** That a field of the metadata is what it was. */
function sameField(field: string): Cel {
  const [is, was] = [`object.metadata.${field}`, `oldObject.metadata.${field}`];
  return `has(${is}) == has(${was}) && (!has(${is}) || ${is} == ${was})`;
}

/** The mark of a tenant on a namespace; empty without one. */
function markOf(object: Cel): Cel {
  const mark = quote(ANNOTATIONS.tenantUid);
  const annotations = `${object}.metadata.annotations`;
  return `(${object} != null && has(${annotations}) && ${mark} in ${annotations} ? ${annotations}[${mark}] : '')`;
}

/** Keeps namespaces of tenants, and the marks that would make one, from everybody else. */
export function namespaceGuardrail(settings: GuardrailSettings): Guardrail {
  const isTenants = `${quote(LABELS.tenant)} in variables.oldLabels`;
  return {
    name: 'namespaces',
    match: [
      {
        apiGroups: [''],
        resources: ['namespaces', 'namespaces/finalize', 'namespaces/status'],
        operations: ['CREATE', 'UPDATE'],
        scope: 'Cluster',
      },
    ],
    conditions: { untrusted: `!(${isTrusted(settings)})` },
    variables: { ...LABEL_VARIABLES, isTenants },
    binds: 'cluster',
    rules: [
      labelRule(),
      {
        field: `metadata.annotations["${ANNOTATIONS.tenantUid}"]`,
        holds: `${markOf('object')} == ${markOf('oldObject')}`,
        found: `${markOf('object')} == '' ? 'a removal' : ${markOf('object')}`,
        allowed: quote('no change: this says whose the namespace is'),
      },
      {
        field: 'metadata.labels',
        holds: `!variables.isTenants || (${sameLabels('pod-security.kubernetes.io/')})`,
        found: quote('a change of Pod Security labels'),
        allowed: quote('spec.podSecurity of the Tenant'),
      },
      {
        field: 'metadata.ownerReferences and metadata.finalizers',
        holds: `!variables.isTenants || (${sameField('ownerReferences')} && ${sameField('finalizers')})`,
        found: quote('a change'),
        allowed: quote('no change: the namespace belongs to its Tenant'),
      },
      {
        field: 'subresource',
        holds: "!variables.isTenants || !has(request.subResource) || request.subResource == ''",
        found: 'request.subResource',
        allowed: quote('changes of the namespace itself'),
      },
    ],
  };
}

function confirmed(of: Cel): Cel {
  const annotation = quote(ANNOTATIONS.confirmDeletion);
  return `has(${of}.metadata.annotations) && ${annotation} in ${of}.metadata.annotations && ${of}.metadata.annotations[${annotation}] == ${of}.metadata.name`;
}

const NOT_CONFIRMED = `'no annotation ${ANNOTATIONS.confirmDeletion}=' + oldObject.metadata.name`;

/** Deleting a namespace of a tenant by hand needs consent on it, of whomever it may be. */
export function namespaceDeletionGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'namespace-deletion',
    match: [{ apiGroups: [''], resources: ['namespaces'], operations: ['DELETE'], scope: 'Cluster' }],
    conditions: {
      other: `request.userInfo.username != ${quote(settings.operatorUser)}`,
      tenants: `oldObject != null && ${quote(LABELS.tenant)} in ${labelsOf('oldObject')}`,
    },
    binds: 'cluster',
    rules: [
      {
        field: 'metadata.annotations',
        holds: confirmed('oldObject'),
        found: NOT_CONFIRMED,
        allowed: quote('removal of the namespace from its Tenant, or this annotation'),
      },
    ],
  };
}

/** Deleting a Tenant deletes all its namespaces, so it needs consent on it, of whomever it may be. */
export function tenantDeletionGuardrail(): Guardrail {
  return {
    name: 'tenant-deletion',
    match: [{ apiGroups: [GROUP], resources: ['tenants'], operations: ['DELETE'], scope: 'Cluster' }],
    binds: 'cluster',
    rules: [
      {
        field: 'metadata.annotations',
        holds: confirmed('oldObject'),
        found: NOT_CONFIRMED,
        allowed: `'kubectl annotate tenant ' + oldObject.metadata.name + ' ${ANNOTATIONS.confirmDeletion}=' + oldObject.metadata.name`,
      },
    ],
  };
}

/** Ledgers, and what NexusOS says in status, are written by nobody else: they decide who gets quota. */
export function recordGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'records',
    match: [
      {
        apiGroups: [GROUP],
        resources: [
          'agents/status',
          'gpuclasses/status',
          'quotaledgers',
          'quotaledgers/status',
          'runs/status',
          'tenants/status',
        ],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
      },
    ],
    conditions: { untrusted: `!(${isTrusted(settings)})` },
    binds: 'cluster',
    rules: [
      {
        field: 'request',
        holds: 'false',
        found: "request.resource.resource + (has(request.subResource) ? '/' + request.subResource : '')",
        allowed: quote('reading: only NexusOS writes this'),
      },
    ],
  };
}
