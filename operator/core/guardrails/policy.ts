// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { GUARDRAILS_CONFIG_MAP, PARAMETERS } from '../tenant/guardrail-parameters.ts';

/** Who stands above the guardrails. The chart fills these in. */
export interface GuardrailSettings {
  /** User name of the operator, `system:serviceaccount:<namespace>:<name>`. */
  readonly operatorUser: string;
  readonly platformNamespace: string;
  /** Groups of people who run the platform, `system:masters` usually among them. */
  readonly platformAdminGroups: readonly string[];
  /** Keys of node labels and taints that only Runs get to: whole keys, or the part before the slash. */
  readonly reservedNodeKeys: readonly string[];
  /** User name of Kueue's controller where that decides on capacity; empty where it does not, which is nobody's name. */
  readonly kueueUser: string;
  /** Image that pods of Runs of remote agents have, wherever images of tenants may come from; empty where there are none. */
  readonly remoteImage: string;
  /** Secret with the certificate of the admission process, in the platform namespace, where the operator makes it. */
  readonly webhookSecret?: string;
  /** User name of the admission process; empty where there is none, which is nobody's name. */
  readonly webhookUser?: string;
  /** What the operator's roles let it write; subresources are told apart by RBAC alone. */
  readonly operatorWrites: readonly Writable[];
}

/** A resource that somebody may write. */
export interface Writable {
  /** Empty for the core group. */
  readonly group: string;
  /** Plural, without a subresource. */
  readonly resource: string;
}

/** One thing that a request must not do. Texts in capitals of the type `Cel` are CEL, the others are plain text. */
export interface Rule {
  /** Field or object that the refusal names. */
  readonly field: string;
  /** What must hold. */
  readonly holds: Cel;
  /** A string: what was found instead. */
  readonly found: Cel;
  /** A string: what would pass. */
  readonly allowed: Cel;
}

/** An expression in the Common Expression Language of the API server. */
export type Cel = string;

/** Whether there is an object at a path: before the schema was held against it, a text, a list or a number may stand there. */
export function isMap(path: Cel): Cel {
  return `type(${path}) == map`;
}

/** Which requests a policy judges. */
export interface Match {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[];
  readonly apiVersions?: readonly string[];
  readonly scope?: 'Namespaced' | 'Cluster';
}

/** One ValidatingAdmissionPolicy with its binding. */
export interface Guardrail {
  /** Name after the prefix `nexusos-`. */
  readonly name: string;
  readonly match: readonly Match[];
  /** Objects of ours, by name: they are written before the parameters are known to every API server. */
  readonly exceptNames?: readonly string[];
  /** Requests of `match` that are not judged. The API server knows these before it evaluates anything, which is what costs time. */
  readonly except?: readonly Match[];
  /** Objects that bear this label, and bore it before the change, are not judged. Costs nothing to speak of, either. */
  readonly exceptLabelled?: string;
  /** CEL by name: requests for which one of these is false are not judged. */
  readonly conditions?: Readonly<Record<string, Cel>>;
  /** CEL by name, usable in rules as `variables.<name>`; later ones may use earlier ones. */
  readonly variables?: Readonly<Record<string, Cel>>;
  readonly rules: readonly Rule[];
  /**
   * `tenant`: in namespaces of tenants, with the parameters of that tenant; without them nothing new is made.
   * `namespaces`: in namespaces of tenants, without parameters. `priorityClasses`: there too, once for each PriorityClass,
   * which is the parameter. `elsewhere`: in all other namespaces. `cluster`: everywhere.
   */
  readonly binds: 'tenant' | 'namespaces' | 'priorityClasses' | 'elsewhere' | 'cluster';
}

/** `text` as a CEL string. */
export function quote(text: string): Cel {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** Strings as a CEL list. */
export function quoteAll(texts: readonly string[]): Cel {
  return `[${texts.map(quote).join(', ')}]`;
}

/** A parameter of the tenant, a string. */
export function parameter(name: keyof typeof PARAMETERS): Cel {
  return `params.data.${PARAMETERS[name]}`;
}

/** A parameter of the tenant that is a list of strings. */
export function listParameter(name: keyof typeof PARAMETERS): Cel {
  return `(${parameter(name)} == '' ? [] : ${parameter(name)}.split(','))`;
}

/**
 * Whether the request comes from the operator, the platform's administrators, the API server's own controllers or a node.
 * These act for the platform; none of the names can be had by a tenant.
 */
export function isTrusted(settings: GuardrailSettings): Cel {
  return [
    `request.userInfo.username == ${quote(settings.operatorUser)}`,
    "request.userInfo.username.startsWith('system:serviceaccount:kube-system:')",
    "request.userInfo.username in ['system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver']",
    `(has(request.userInfo.groups) && request.userInfo.groups.exists(g, g == 'system:nodes' || g in ${quoteAll(settings.platformAdminGroups)}))`,
  ].join(' || ');
}

const REGISTRATION = 'admissionregistration.k8s.io/v1';
const NOT_OURS = 'your platform team';

/** What policies read beside the request. */
const PARAM_KINDS: Readonly<Record<Guardrail['binds'], object | undefined>> = {
  tenant: { apiVersion: 'v1', kind: 'ConfigMap' },
  priorityClasses: { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' },
  namespaces: undefined,
  elsewhere: undefined,
  cluster: undefined,
};

const PARAM_REFS: Readonly<Record<Guardrail['binds'], object | undefined>> = {
  tenant: { name: GUARDRAILS_CONFIG_MAP },
  priorityClasses: { selector: {}, parameterNotFoundAction: 'Deny' },
  namespaces: undefined,
  elsewhere: undefined,
  cluster: undefined,
};

/** The policy and what binds it. */
export function toObjects(guardrail: Guardrail): readonly KubeObject[] {
  const name = `nexusos-${guardrail.name}`;
  return [policyOf(name, guardrail), ...bindingsOf(name, guardrail)];
}

function policyOf(name: string, guardrail: Guardrail): KubeObject {
  const contact = guardrail.binds === 'tenant' ? parameter('contact') : quote(NOT_OURS);
  const variables = { ...guardrail.variables, contact };
  const paramKind = PARAM_KINDS[guardrail.binds];
  return {
    apiVersion: REGISTRATION,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      ...(paramKind && { paramKind }),
      matchConstraints: {
        resourceRules: guardrail.match.map((match) => resourceRule(match)),
        ...excluded(guardrail),
        ...(guardrail.exceptLabelled !== undefined && {
          objectSelector: { matchExpressions: [{ key: guardrail.exceptLabelled, operator: 'DoesNotExist' }] },
        }),
      },
      ...(guardrail.conditions && { matchConditions: named(guardrail.conditions) }),
      variables: named(variables),
      validations: guardrail.rules.map(validation),
    },
  };
}

function excluded({ match, exceptNames, except = [] }: Guardrail): object {
  const rules = [
    ...(exceptNames === undefined ? [] : match.map((one) => resourceRule(one, exceptNames))),
    ...except.map((one) => resourceRule(one)),
  ];
  return rules.length === 0 ? {} : { excludeResourceRules: rules };
}

function named(expressions: Readonly<Record<string, Cel>>): readonly object[] {
  return Object.entries(expressions).map(([name, expression]) => ({ name, expression }));
}

function resourceRule({ apiVersions = ['*'], ...match }: Match, resourceNames?: readonly string[]): object {
  return { ...match, apiVersions, ...(resourceNames !== undefined && { resourceNames }) };
}

/** A refusal tells field, found, allowed and whom to ask; the plain message is for the case that telling fails. */
function validation({ field, holds, found, allowed }: Rule): object {
  return {
    expression: holds,
    message: `policy_blocked: ${field} is not allowed`,
    messageExpression: [
      quote(`policy_blocked: ${field}: found `),
      `(${found})`,
      quote('; allowed: '),
      `(${allowed})`,
      quote('; ask '),
      'variables.contact',
    ].join(' + '),
    reason: 'Forbidden',
  };
}

interface Bound {
  readonly name: string;
  readonly rules?: readonly Match[];
  readonly paramRef?: object;
}

function bindingsOf(name: string, guardrail: Guardrail): readonly KubeObject[] {
  return boundsOf(name, guardrail).map((bound) => bindingOf(name, guardrail, bound));
}

/**
 * A namespace that goes loses the parameters before it loses what the controllers of Kubernetes must still write: a finalizer
 * that comes off a pod, a volume claim or a Service is an update. So a new object needs the parameters; without them, one that
 * is there may be changed.
 */
function boundsOf(name: string, { binds, match }: Guardrail): readonly Bound[] {
  const paramRef = PARAM_REFS[binds];
  if (binds !== 'tenant') return [{ name, ...(paramRef && { paramRef }) }];
  const changes = rulesFor(match, 'UPDATE', isWhole);
  const rest = [
    ...rulesFor(match, 'CREATE', () => true),
    ...rulesFor(match, 'UPDATE', (one) => !isWhole(one)),
  ];
  return [
    { name, rules: rest, paramRef: { ...paramRef, parameterNotFoundAction: 'Deny' } },
    ...(changes.length > 0
      ? [
          {
            name: `${name}-changes`,
            rules: changes,
            paramRef: { ...paramRef, parameterNotFoundAction: 'Allow' },
          },
        ]
      : []),
  ];
}

function isWhole(resource: string): boolean {
  return !resource.includes('/');
}

function rulesFor(
  match: readonly Match[],
  operation: Match['operations'][number],
  wants: (resource: string) => boolean,
): readonly Match[] {
  return match
    .filter(({ operations }) => operations.includes(operation))
    .map((one) => ({ ...one, operations: [operation], resources: one.resources.filter(wants) }))
    .filter(({ resources }) => resources.length > 0);
}

function bindingOf(policyName: string, { binds }: Guardrail, { name, rules, paramRef }: Bound): KubeObject {
  const operator = binds === 'elsewhere' ? 'DoesNotExist' : 'Exists';
  const namespaceSelector = { matchExpressions: [{ key: LABELS.tenant, operator }] };
  const resourceRules = rules?.map((rule) => resourceRule(rule));
  return {
    apiVersion: REGISTRATION,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: {
      policyName,
      validationActions: ['Deny'],
      ...(binds !== 'cluster' && {
        matchResources: { namespaceSelector, ...(resourceRules && { resourceRules }) },
      }),
      ...(paramRef && { paramRef }),
    },
  };
}
