// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { annotationOf, isManaged, isUnchanged, labelsOf } from './marks.ts';
import {
  type Cel,
  type Guardrail,
  type GuardrailSettings,
  isTrusted,
  type Match,
  quote,
  quoteAll,
  type Rule,
} from './policy.ts';
import { IS_PARENT } from './calls.ts';
import { NEW_RUNS, type RunPart } from './run-part.ts';
import { isKueueAtWork } from './queues.ts';
import { ROLE_BINDING_NAMES } from './role-bindings.ts';

const ALLOWED_EDIT = quote('changes in the Tenant; NexusOS makes this and would undo any other change');

/** The labels that start so and are not after the request what they were before, each with what became of it. */
function changedLabels(prefix: string): Cel {
  const ours = `k.startsWith(${quote(prefix)})`;
  const isSame = 'k in variables.oldLabels && variables.oldLabels[k] == variables.labels[k]';
  return [
    `variables.labels.filter(k, ${ours} && !(${isSame})).map(k, k + '=' + variables.labels[k])`,
    `variables.oldLabels.filter(k, ${ours} && !(k in variables.labels)).map(k, 'no ' + k)`,
  ].join(' + ');
}

const LABEL_VARIABLES = {
  labels: labelsOf('object'),
  oldLabels: labelsOf('oldObject'),
} as const;

function labelRule(): Rule {
  const changed = changedLabels(`${GROUP}/`);
  return {
    field: 'metadata.labels',
    holds: `request.operation == 'DELETE' || size(${changed}) == 0`,
    found: `(${changed}).join(', ')`,
    allowed: quote(`labels of your own prefix: those of ${GROUP}/ say whose the object is`),
  };
}

/** What names one of our objects as its owner would pass for something that NexusOS made: a pod for that of a Run. */
function ownerRule(): Rule {
  return {
    field: 'metadata.ownerReferences',
    holds: `request.operation == 'DELETE' || ${ourOwnersOf('object')}.all(r, r in ${ourOwnersOf('oldObject')} || (${IS_PARENT}))`,
    found: `${ourOwnersOf('object')}.map(r, r.kind + ' ' + r.name).join(', ')`,
    allowed: quote(
      `owners of other groups than ${GROUP}, and for a Run the one that its spec.parentRef names`,
    ),
  };
}

/** Owner references to objects of ours, also of an object that has none. */
function ourOwnersOf(object: Cel): Cel {
  return `(${object} != null && has(${object}.metadata) && has(${object}.metadata.ownerReferences) ? ${object}.metadata.ownerReferences.filter(r, r.apiVersion.startsWith(${quote(`${GROUP}/`)})) : [])`;
}

const ANY_WRITE = ['CREATE', 'UPDATE', 'DELETE'] as const;

/**
 * What nodes and the controllers of Kubernetes write all the time, several times for each pod, and no role that a tenant can have or give
 * lets anybody else write. Whoever is let write them by the platform can say that a pod has ended, beside which labels are little; and to evaluate a
 * policy on each took the API server a fifth of its time while Runs went through.
 */
export const UNJUDGED: readonly Match[] = [
  { apiGroups: [''], resources: ['pods/binding', 'pods/status'], operations: ANY_WRITE, scope: 'Namespaced' },
  { apiGroups: ['batch'], resources: ['jobs/status'], operations: ANY_WRITE, scope: 'Namespaced' },
  { apiGroups: ['', 'events.k8s.io'], resources: ['events'], operations: ANY_WRITE, scope: 'Namespaced' },
];

/** What only those who are trusted write at all, as `recordGuardrail` sees to. */
const RECORDS: Match = {
  apiGroups: [GROUP],
  resources: [
    'agentrevisions',
    'agents/status',
    'clusterimagepolicies/status',
    'gpuclasses/status',
    'imagepolicies/status',
    'imageverdicts',
    'imageverdicts/status',
    'imagewaivers/status',
    'policypackrevisions',
    'policypacks/status',
    'quotaledgers',
    'quotaledgers/status',
    'runs/status',
    'tenants/status',
    'trustroots/status',
    'usagerecords',
  ],
  operations: ANY_WRITE,
};

const NEW_PODS: Match = { apiGroups: [''], resources: ['pods'], operations: ['CREATE'], scope: 'Namespaced' };

/**
 * Keeps what NexusOS makes in a namespace, and the marks by which it knows its own, from everybody else: new pods by a policy for them alone, which leaves
 * out those that bear the label of a Run. Whoever but the operator makes one is refused by the policy of pods, and the operator would be let past here: so of
 * each pod of a Run, that the API server turns into a tree for each policy that asks anything of it, it does so once less.
 */
export function managedObjectGuardrails(settings: GuardrailSettings): readonly Guardrail[] {
  const keeping = keepingGuardrail(settings);
  return [
    {
      ...keeping,
      name: 'managed-objects',
      match: [
        {
          apiGroups: ['*'],
          resources: ['*/*'],
          operations: ['CREATE', 'UPDATE', 'DELETE'],
          scope: 'Namespaced',
        },
      ],
      // A Run's status is written for each Run: one policy is enough that lets nobody do so who would be judged here.
      except: [...UNJUDGED, RECORDS, NEW_PODS, NEW_RUNS],
    },
    { ...keeping, name: 'managed-pods', match: [NEW_PODS], exceptLabelled: LABELS.runUid },
  ];
}

/**
 * The same of new Runs. What bears no mark and no name of ours, and has no owner, is let past at a glance: nearly every Run of everybody, of which each rule and the
 * words of each refusal would be evaluated else.
 */
export function newObjectPart(settings: GuardrailSettings): RunPart {
  const { conditions, variables, rules } = keepingGuardrail(settings);
  const judged = Object.values(conditions).map((one) => `(${one})`);
  const applies = [...judged, `!(${BEARS_NOTHING})`].join(' && ');
  return { applies, place: 'tenants', variables, rules };
}

const OBJECT_NAME: Cel =
  "(object != null && has(object.metadata) && has(object.metadata.name) ? object.metadata.name : '')";

/** The name of what the request is for, where `objectName` is that of the object. */
function requestedName(objectName: Cel): Cel {
  return `(request.name != '' ? request.name : ${objectName})`;
}

function isOurName(name: Cel): Cel {
  return `(${name} == 'nexusos' || ${name}.startsWith('nexusos-'))`;
}

const BEARS_NOTHING: Cel = [
  `!${isOurName(requestedName(OBJECT_NAME))}`,
  `${labelsOf('object')}.all(k, k != ${quote(LABELS.managedBy)} && !k.startsWith(${quote(`${GROUP}/`)}))`,
  '!has(object.metadata.ownerReferences)',
].join(' && ');

type Keeping = Omit<Guardrail, 'name' | 'match'> & Required<Pick<Guardrail, 'conditions' | 'variables'>>;

function keepingGuardrail(settings: GuardrailSettings): Keeping {
  const name = requestedName('variables.objectName');
  return {
    conditions: { untrusted: `!(${isTrusted(settings)})`, other: `!(${isKueueAtWork(settings)})` },
    variables: {
      ...LABEL_VARIABLES,
      objectName: OBJECT_NAME,
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
        holds: `request.operation != 'CREATE' || !${isOurName(name)}`,
        found: name,
        allowed: quote('names that neither are nexusos nor start with nexusos-'),
      },
      bindingRule(name),
      SCALE_RULE,
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

/** A request to scale says nothing of labels but those that select the pods: ours are on no pods but those of our making. */
const SCALE_RULE: Rule = {
  field: 'spec.replicas',
  holds: `request.operation != 'UPDATE' || !has(request.subResource) || request.subResource != 'scale' || !has(oldObject.status) || !has(oldObject.status.selector) || !oldObject.status.selector.contains(${quote(`${GROUP}/`)})`,
  found: "'another number of pods of ' + request.name",
  allowed: quote('spec.service.replicas of the Agent'),
};

/**
 * One of these names may be there from before the namespace was adopted, and the policy of RoleBindings does not judge it: so
 * it gives nobody access who had none.
 */
function bindingRule(name: Cel): Rule {
  const isChange = "request.operation == 'UPDATE' && request.resource.resource == 'rolebindings'";
  return {
    field: 'subjects',
    holds: `!(${isChange}) || !(${name} in ${quoteAll(ROLE_BINDING_NAMES)}) || (${isUnchanged('subjects')})`,
    found: `'a change of ' + ${name}`,
    allowed: quote('deletion, and a RoleBinding of another name'),
  };
}

function annotationRule(name: string, why: string): Rule {
  const [is, was] = [annotationOf('object', name), annotationOf('oldObject', name)];
  return {
    field: `metadata.annotations["${name}"]`,
    holds: `${is} == ${was}`,
    found: `${is} == '' ? 'none' : ${is}`,
    allowed: `${quote(`no change: ${why}; it is `)} + (${was} == '' ? 'not set' : ${was})`,
  };
}

/** Keeps namespaces of tenants, and the marks that would make one, from everybody else. */
export function namespaceGuardrail(settings: GuardrailSettings): Guardrail {
  const isTenants = `${quote(LABELS.tenant)} in variables.oldLabels`;
  const podSecurity = changedLabels('pod-security.kubernetes.io/');
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
      annotationRule(ANNOTATIONS.tenantUid, 'this says whose the namespace is'),
      annotationRule(ANNOTATIONS.priorityClasses, 'this follows entitlements.priorityClasses of the Tenant'),
      {
        field: 'metadata.labels',
        holds: `!variables.isTenants || size(${podSecurity}) == 0`,
        found: `(${podSecurity}).join(', ')`,
        allowed: quote('spec.podSecurity of the Tenant'),
      },
      {
        field: 'metadata.ownerReferences',
        holds: `!variables.isTenants || (${isUnchanged('metadata.ownerReferences')})`,
        found:
          "has(object.metadata.ownerReferences) ? object.metadata.ownerReferences.map(r, r.kind + ' ' + r.name).join(', ') : 'none'",
        allowed: quote('no change: the namespace belongs to its Tenant'),
      },
      {
        field: 'metadata.finalizers',
        holds: `!variables.isTenants || (${isUnchanged('metadata.finalizers')})`,
        found: "has(object.metadata.finalizers) ? object.metadata.finalizers.join(', ') : 'none'",
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

/** Consent names what it is for, among other names if need be. */
function confirmed(of: Cel): Cel {
  const annotation = quote(ANNOTATIONS.confirmDeletion);
  return `has(${of}.metadata.annotations) && ${annotation} in ${of}.metadata.annotations && ${of}.metadata.annotations[${annotation}].split(',').exists(n, n.trim() == ${of}.metadata.name)`;
}

const NOT_CONFIRMED = `'no annotation ${ANNOTATIONS.confirmDeletion}=' + oldObject.metadata.name`;

/**
 * Nobody but the operator takes the mark off a namespace, whoever may write namespaces: without mark and label it would
 * be out of reach of the guardrails, and the operator could not tell it from one of somebody else.
 */
export function namespaceMarkGuardrail(settings: GuardrailSettings): Guardrail {
  const { field, found, allowed, holds } = annotationRule(
    ANNOTATIONS.tenantUid,
    'this says whose the namespace is',
  );
  return {
    name: 'namespace-marks',
    // With subresources: their strategies let metadata through.
    match: [
      {
        apiGroups: [''],
        resources: ['namespaces', 'namespaces/*'],
        operations: ['UPDATE'],
        scope: 'Cluster',
      },
    ],
    conditions: { other: `request.userInfo.username != ${quote(settings.operatorUser)}` },
    binds: 'cluster',
    rules: [
      {
        field,
        holds: `${annotationOf('oldObject', ANNOTATIONS.tenantUid)} == '' || ${holds}`,
        found,
        allowed,
      },
    ],
  };
}

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

/** Ledgers, revisions, verdicts, and what NexusOS says in status, are written by nobody else: they decide who gets quota, and what runs. */
export function recordGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'records',
    match: [RECORDS],
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
