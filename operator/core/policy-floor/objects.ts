// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { PolicyBinding } from '#crds/v1alpha1/policy-binding';
import type { PolicyFloor } from '#crds/v1alpha1/policy-floor';
import type { Cel } from '../guardrails/policy.ts';
import { defined, type KubeObject } from '../object.ts';
import { KUBERNETES_CONDITION, LEAVING_CONDITION, operatorOnWorkloads } from '../policy/asked.ts';
import type { TenantFacts } from '../policy/facts.ts';
import { BEYOND_POLICY, isTenantBound, rulesOf, SYSTEM_NAMESPACES } from '../policy/match.ts';
import { globCel, textCel, valueCel } from './cel.ts';
import { type FloorExemption, NAME_VARIABLES } from './exemptions.ts';

const REGISTRATION = 'admissionregistration.k8s.io/v1';

/** A floor with all that its policy is made from. */
export interface FloorSource {
  readonly pack: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** Name of the PolicyPackRevision. */
  readonly revision: string;
  readonly version: string;
  /** Whom to ask; undefined: the platform's team. */
  readonly contact: string | undefined;
  readonly floor: PolicyFloor;
  readonly binding: PolicyBinding;
  readonly parameters: Readonly<Record<string, unknown>> | undefined;
  readonly enforcement: 'Deny' | 'Warn' | 'DryRun';
}

/** What all floors of a cluster have in common. */
export interface FloorSettings {
  readonly platformNamespace: string;
  /** Nobody's name where the operator's is not known. */
  readonly operatorUser: string;
}

/** What a finding of the floor comes to. */
const ACTIONS = { Deny: ['Deny'], Warn: ['Warn'], DryRun: ['Audit'] } as const;

/** Versions of groups, for the one check that wants to know: the API server checks the types of fields of exact versions alone. */
const VERSIONS: Readonly<Record<string, string>> = {
  '': 'v1',
  apps: 'v1',
  autoscaling: 'v2',
  batch: 'v1',
  'networking.k8s.io': 'v1',
  'nexusos.dev': 'v1alpha1',
  policy: 'v1',
  'rbac.authorization.k8s.io': 'v1',
};

/** The policy of a floor. It judges nobody until it is bound. */
export function policyOf(
  name: string,
  source: FloorSource,
  {
    exemptions,
    leftOut = 0,
    settings,
  }: {
    readonly exemptions: readonly FloorExemption[];
    /** Exemptions that there is no room for. */
    readonly leftOut?: number;
    readonly settings: FloorSettings;
  },
): KubeObject {
  const { binding, floor } = source;
  return {
    apiVersion: REGISTRATION,
    kind: 'ValidatingAdmissionPolicy',
    metadata: withLeftOut(metadataOf(name, source), leftOut),
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: resourceRules(binding),
        excludeResourceRules: EXCLUDED,
        ...defined({ objectSelector: binding.objectSelector }),
      },
      matchConditions: named({
        kubernetes: KUBERNETES_CONDITION,
        leaving: LEAVING_CONDITION,
        operator: operatorOnWorkloads(settings.operatorUser),
        ...excludedNamespaces(binding),
      }),
      variables: [
        { name: 'parameters', expression: valueCel(source.parameters ?? {}) },
        ...(exemptions.length === 0 ? [] : NAME_VARIABLES),
        ...exemptions.map(({ holds }, index) => ({ name: exemptionName(index), expression: holds })),
        ...(floor.variables ?? []),
      ],
      validations: floor.rules.map((rule) => validationOf(rule, source, exemptions)),
    },
  };
}

/** The same for the one check of types: with versions of groups, where these are known. */
export function trialPolicy(name: string, source: FloorSource, settings: FloorSettings): KubeObject {
  const policy = policyOf(name, source, { exemptions: [], settings });
  const { matchConstraints, ...spec } = policy['spec'] as { readonly matchConstraints: object };
  const rules = resourceRules(source.binding).map((rule) => {
    const [group = ''] = rule.apiGroups;
    const version = rule.apiGroups.length === 1 ? VERSIONS[group] : undefined;
    return version === undefined ? rule : { ...rule, apiVersions: [version] };
  });
  return { ...policy, spec: { ...spec, matchConstraints: { ...matchConstraints, resourceRules: rules } } };
}

/** What lets the policy judge: the namespaces of the tenants that the pack binds. */
export function bindingOf(
  name: string,
  source: FloorSource,
  {
    policyName,
    tenants,
    settings,
  }: {
    readonly policyName: string;
    readonly tenants: readonly TenantFacts[];
    readonly settings: FloorSettings;
  },
): KubeObject {
  return {
    apiVersion: REGISTRATION,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: metadataOf(name, source),
    spec: {
      policyName,
      validationActions: ACTIONS[source.enforcement],
      matchResources: { namespaceSelector: namespaceSelector(source.binding, tenants, settings) },
    },
  };
}

/** So that the pack can tell: who is exempt and is refused by the floor is to know why. */
function withLeftOut(metadata: KubeObject['metadata'], leftOut: number): KubeObject['metadata'] {
  if (leftOut === 0) return metadata;
  return {
    ...metadata,
    annotations: { ...metadata.annotations, [ANNOTATIONS.floorLeavesOut]: `${leftOut}` },
  };
}

function metadataOf(name: string, { pack, revision }: FloorSource): KubeObject['metadata'] {
  return {
    name,
    labels: {
      [LABELS.managedBy]: MANAGED_BY,
      [LABELS.pack]: pack.name,
      [LABELS.packUid]: pack.uid,
    },
    annotations: { [ANNOTATIONS.floorOf]: revision },
  };
}

/** Objects in namespaces alone: whose any other one is, a policy cannot tell. */
function resourceRules(binding: PolicyBinding) {
  return rulesOf(binding).map(({ apiGroups, resources, operations }) => ({
    apiGroups: [...apiGroups],
    apiVersions: ['*'],
    resources: [...resources],
    operations: [...(operations ?? ['CREATE', 'UPDATE'])],
    scope: 'Namespaced',
  }));
}

const EXCLUDED = [...new Set([...BEYOND_POLICY].map((one) => one.split('/')[0] ?? ''))].map((group) => ({
  apiGroups: [group],
  apiVersions: ['*'],
  resources: [...BEYOND_POLICY]
    .filter((one) => one.startsWith(`${group}/`))
    .flatMap((one) => [one.slice(group.length + 1), `${one.slice(group.length + 1)}/*`]),
  operations: ['*'],
  scope: '*',
}));

/** Labels of namespaces know no patterns. */
function excludedNamespaces({ excludedNamespaces: patterns = [] }: PolicyBinding): Record<string, Cel> {
  if (patterns.length === 0) return {};
  const isOne = patterns.map((one) => globCel(one, 'request.namespace')).join(' || ');
  return { excluded: `!(${isOne})` };
}

type Requirement = { readonly key: string; readonly operator: string; readonly values?: readonly string[] };

function namespaceSelector(
  { namespaceSelector: selector, tenants: bound }: PolicyBinding,
  tenants: readonly TenantFacts[],
  { platformNamespace }: FloorSettings,
) {
  const names = tenants.filter((one) => isTenantBound(bound, one)).map(({ name }) => name);
  return {
    ...defined({ matchLabels: selector?.matchLabels }),
    matchExpressions: [
      ...(selector?.matchExpressions ?? []),
      { key: LABELS.tenant, operator: 'Exists' },
      ...(bound === undefined ? [] : [amongTenants(names.toSorted())]),
      {
        key: 'kubernetes.io/metadata.name',
        operator: 'NotIn',
        values: [...SYSTEM_NAMESPACES, platformNamespace],
      },
    ],
  };
}

/** A list must not be empty: that none is bound is said by what cannot be, beside the label's existence. */
function amongTenants(values: readonly string[]): Requirement {
  return values.length === 0
    ? { key: LABELS.tenant, operator: 'DoesNotExist' }
    : { key: LABELS.tenant, operator: 'In', values };
}

function exemptionName(index: number): string {
  return `nexusosExempt${index}`;
}

/** A refusal has the words of one by the admission process, so that who meets both knows them for the same. */
function validationOf(
  { rule, expression, message, messageExpression }: PolicyFloor['rules'][number],
  { pack, version, contact }: FloorSource,
  exemptions: readonly FloorExemption[],
): object {
  const before = `policy_blocked: ${pack.namespace}/${pack.name} ${version}, rule ${rule}: `;
  const after = `; ask ${contact ?? 'your platform team'}`;
  const lifts = exemptions.flatMap(({ rules }, index) =>
    rules === undefined || rules.includes(rule) ? [`variables.${exemptionName(index)} || `] : [],
  );
  return {
    expression: `${lifts.join('')}(${expression})`,
    message: oneLine(`${before}${message ?? 'it is not allowed'}${after}`),
    ...(messageExpression !== undefined && {
      messageExpression: `${textCel(before)} + (${messageExpression}) + ${textCel(oneLine(after))}`,
    }),
    reason: 'Forbidden',
  };
}

function oneLine(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}

function named(expressions: Readonly<Record<string, Cel>>): readonly object[] {
  return Object.entries(expressions).map(([name, expression]) => ({ name, expression }));
}
