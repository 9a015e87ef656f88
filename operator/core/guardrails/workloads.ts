// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { annotationOf } from './marks.ts';
import { isPlainRunPod } from './plain-pods.ts';
import { hasRunLabel, isOperator, isRun, type PodPlace } from './pod-place.ts';
import { podRules, podVariables } from './pod-rules.ts';
import {
  type Cel,
  type Guardrail,
  type GuardrailSettings,
  isTrusted,
  type Match,
  quote,
  type Rule,
} from './policy.ts';

interface Workloads {
  readonly name: string;
  readonly match: readonly Match[];
  readonly place: PodPlace;
  /** CEL: whether there is a pod described at all, and it is new. */
  readonly isChanged: Cel;
}

const CREATE_UPDATE = ['CREATE', 'UPDATE'] as const;

const WORKLOADS: readonly Workloads[] = [
  {
    name: 'pods',
    match: [{ apiGroups: [''], resources: ['pods', 'pods/ephemeralcontainers'], operations: CREATE_UPDATE }],
    place: { path: 'spec.', spec: 'object.spec', metadata: 'object.metadata', isPod: true },
    isChanged: "request.operation == 'CREATE' || object.spec != oldObject.spec",
  },
  {
    name: 'workloads',
    match: [
      {
        apiGroups: ['apps'],
        resources: ['daemonsets', 'deployments', 'replicasets', 'statefulsets'],
        operations: CREATE_UPDATE,
      },
      { apiGroups: ['batch'], resources: ['jobs'], operations: CREATE_UPDATE },
      { apiGroups: [''], resources: ['replicationcontrollers'], operations: CREATE_UPDATE },
    ],
    place: template('spec.template'),
    isChanged:
      "has(object.spec.template) && (request.operation == 'CREATE' || !has(oldObject.spec.template) || object.spec.template != oldObject.spec.template)",
  },
  {
    name: 'cronjobs',
    match: [{ apiGroups: ['batch'], resources: ['cronjobs'], operations: CREATE_UPDATE }],
    place: template('spec.jobTemplate.spec.template'),
    isChanged: "request.operation == 'CREATE' || object.spec.jobTemplate != oldObject.spec.jobTemplate",
  },
  {
    name: 'podtemplates',
    match: [{ apiGroups: [''], resources: ['podtemplates'], operations: CREATE_UPDATE }],
    place: template('template'),
    isChanged:
      "has(object.template.spec) && (request.operation == 'CREATE' || object.template != oldObject.template)",
  },
];

function template(path: string): PodPlace {
  return {
    path: `${path}.spec.`,
    spec: `object.${path}.spec`,
    metadata: `object.${path}.metadata`,
    isPod: false,
  };
}

/**
 * Bounds pods and everything that pods are made from. A template is judged when it is written, so that the user reads the
 * refusal, and not only when a controller fails to make a pod of it. What does not change is not judged again: an
 * adopted namespace may hold pods from before, which must be able to end.
 */
export function workloadGuardrails(settings: GuardrailSettings): readonly Guardrail[] {
  return WORKLOADS.map(({ name, match, place, isChanged }) => ({
    name,
    match,
    binds: 'tenant',
    conditions: {
      changed: isChanged,
      ...(place.isPod && { judged: `!(${isPlainRunPod(place, settings)})` }),
    },
    variables: podVariables(place, settings),
    rules: [
      ...podRules(place),
      ...templatesOf(place, name).map((template) => templateLabelRule(template, settings)),
      ...claimPlaces(place, name).map((claims) => claimLabelRule(claims, settings)),
      ...(place.isPod ? [runLabelRule(place, settings)] : []),
    ],
  }));
}

/**
 * Bounds the priority of pods: pods of one tenant must not push out those of another. Which class is the cluster's default,
 * that every pod may have, only the classes themselves tell, so they are the parameters; what the tenant is entitled to is
 * on the namespace.
 */
export function priorityGuardrails(settings: GuardrailSettings): readonly Guardrail[] {
  const listed = annotationOf('namespaceObject', ANNOTATIONS.priorityClasses);
  return WORKLOADS.map(({ name, match, place, isChanged }) => ({
    name: `${name}-priority`,
    match,
    binds: 'priorityClasses',
    // Pods of Runs have what class they have, and that only the operator makes such pods the rules above see to.
    ...(place.isPod && { exceptLabelled: LABELS.runUid }),
    // Nearly no pod names a class, and all that is asked costs time for each class that there is.
    conditions: { changed: isChanged, named: namesClass(place) },
    variables: {
      isRun: isRun(place, settings),
      chosen: `(has(${place.spec}.priorityClassName) ? ${place.spec}.priorityClassName : '')`,
      entitled: `${listed} == '' ? [] : ${listed}.split(',')`,
    },
    rules: [
      {
        field: `${place.path}priorityClassName`,
        holds:
          'params.metadata.name != variables.chosen || (has(params.globalDefault) && params.globalDefault) || variables.isRun || variables.chosen in variables.entitled',
        found: 'variables.chosen',
        allowed:
          "size(variables.entitled) == 0 ? 'not set: spec.entitlements.priorityClasses of the Tenant is empty' : 'not set, or ' + variables.entitled.join(', ')",
      },
    ],
  }));
}

/** What names no class has none: the API server itself gives it the default one, which every pod may have. */
function namesClass({ spec }: PodPlace): Cel {
  return `has(${spec}.priorityClassName) && ${spec}.priorityClassName != ''`;
}

/**
 * Also a controller that is trusted makes no pod of a Run: it would follow a template from before the namespace was adopted. Pods of Runs count as
 * such by this label.
 */
function runLabelRule({ metadata }: PodPlace, settings: GuardrailSettings): Rule {
  return {
    field: 'metadata.labels',
    holds: `request.operation != 'CREATE' || !(${hasRunLabel(metadata)}) || ${isOperator(settings)}`,
    found: quote(LABELS.runUid),
    allowed: quote('creating a Run: only NexusOS makes its pods'),
  };
}

/** Where labels stand that a controller of Kubernetes will write. */
interface LabelPlace {
  readonly path: string;
  readonly metadata: Cel;
}

function templatesOf({ path, metadata, isPod }: PodPlace, name: string): readonly LabelPlace[] {
  if (isPod) return [];
  const ofPod = { path: path.replace(/spec\.$/, 'metadata.labels'), metadata };
  const ofJob = { path: 'spec.jobTemplate.metadata.labels', metadata: 'object.spec.jobTemplate.metadata' };
  return name === 'cronjobs' ? [ofPod, ofJob] : [ofPod];
}

/** Where templates of volume claims stand. `metadata` is a CEL list of what is said of them. */
function claimPlaces({ path }: PodPlace, name: string): readonly LabelPlace[] {
  const ofVolumes = {
    path: `${path}volumes[*].ephemeral.volumeClaimTemplate.metadata.labels`,
    metadata:
      'variables.volumes.filter(v, has(v.ephemeral) && has(v.ephemeral.volumeClaimTemplate) && has(v.ephemeral.volumeClaimTemplate.metadata)).map(v, v.ephemeral.volumeClaimTemplate.metadata)',
  };
  const ofSets = {
    path: 'spec.volumeClaimTemplates[*].metadata.labels',
    metadata:
      '(has(object.spec.volumeClaimTemplates) ? object.spec.volumeClaimTemplates.filter(c, has(c.metadata)).map(c, c.metadata) : [])',
  };
  return name === 'workloads' ? [ofVolumes, ofSets] : [ofVolumes];
}

/** As for pods: a claim with our labels would be out of reach of whoever wrote its template. */
function claimLabelRule({ metadata, path }: LabelPlace, settings: GuardrailSettings): Rule {
  const isOurs = isOurLabel('m.labels');
  const marked = `${metadata}.filter(m, has(m.labels) && m.labels.exists(k, ${isOurs}))`;
  return {
    field: path,
    holds: `size(${marked}) == 0 || ${isTrusted(settings)}`,
    found: `${marked}.map(m, m.labels.filter(k, ${isOurs}).join(', ')).join(', ')`,
    allowed: quote(OWN_LABELS),
  };
}

/** Whether the key `k` of `labels` is one by which NexusOS knows its own. */
function isOurLabel(labels: Cel): Cel {
  const isMark = `k == ${quote(LABELS.managedBy)} && ${labels}[k] == ${quote(MANAGED_BY)}`;
  return `k.startsWith(${quote(`${GROUP}/`)}) || (${isMark})`;
}

const OWN_LABELS = `labels of your own prefix: ${GROUP}/ and managed-by say what NexusOS made`;

/** Labels of NexusOS on a template would become labels of pods and Jobs, written by a controller that is trusted. */
function templateLabelRule({ metadata, path }: LabelPlace, settings: GuardrailSettings): Rule {
  const ours = `${metadata}.labels.filter(k, ${isOurLabel(`${metadata}.labels`)})`;
  const none = `(!has(${metadata}) || !has(${metadata}.labels) || size(${ours}) == 0)`;
  return {
    field: path,
    holds: `${none} || ${isTrusted(settings)}`,
    found: `${ours}.join(', ')`,
    allowed: quote(OWN_LABELS),
  };
}
