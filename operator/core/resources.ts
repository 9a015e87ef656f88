// SPDX-License-Identifier: Apache-2.0
import type { KindDescriptor } from '#crds/openapi/kind';
import { AGENT } from '#crds/v1alpha1/agent';
import { AGENT_REVISION } from '#crds/v1alpha1/agent-revision';
import { GPU_CLASS } from '#crds/v1alpha1/gpu-class';
import { API_VERSION } from '#crds/v1alpha1/names';
import { CLUSTER_IMAGE_POLICY, IMAGE_POLICY } from '#crds/v1alpha1/image-policy';
import { IMAGE_VERDICT } from '#crds/v1alpha1/image-verdict';
import { IMAGE_WAIVER } from '#crds/v1alpha1/image-waiver';
import { POLICY_EXEMPTION } from '#crds/v1alpha1/policy-exemption';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { POLICY_PACK_REVISION } from '#crds/v1alpha1/policy-pack-revision';
import { POLICY_REPLICA } from '#crds/v1alpha1/policy-replica';
import { QUOTA_LEDGER } from '#crds/v1alpha1/quota-ledger';
import { RUN } from '#crds/v1alpha1/run';
import { TENANT } from '#crds/v1alpha1/tenant';
import { TRUST_ROOT } from '#crds/v1alpha1/trust-root';
import { USAGE_RECORD } from '#crds/v1alpha1/usage-record';
import type { Resource } from './object.ts';

function ours({ kind, plural, scope }: KindDescriptor): Resource {
  return { apiVersion: API_VERSION, kind, plural, namespaced: scope === 'Namespaced' };
}

function namespaced(apiVersion: string, kind: string, plural: string): Resource {
  return { apiVersion, kind, plural, namespaced: true };
}

const RBAC = 'rbac.authorization.k8s.io/v1';

export const TENANTS = ours(TENANT);
export const QUOTA_LEDGERS = ours(QUOTA_LEDGER);
export const USAGE_RECORDS = ours(USAGE_RECORD);
export const GPU_CLASSES = ours(GPU_CLASS);
export const AGENTS = ours(AGENT);
export const AGENT_REVISIONS = ours(AGENT_REVISION);
export const RUNS = ours(RUN);
export const POLICY_PACKS = ours(POLICY_PACK);
export const POLICY_EXEMPTIONS = ours(POLICY_EXEMPTION);
export const POLICY_PACK_REVISIONS = ours(POLICY_PACK_REVISION);
export const POLICY_REPLICAS = ours(POLICY_REPLICA);
export const TRUST_ROOTS = ours(TRUST_ROOT);
export const CLUSTER_IMAGE_POLICIES = ours(CLUSTER_IMAGE_POLICY);
export const IMAGE_POLICIES = ours(IMAGE_POLICY);
export const IMAGE_VERDICTS = ours(IMAGE_VERDICT);
export const IMAGE_WAIVERS = ours(IMAGE_WAIVER);

export const NAMESPACES: Resource = {
  apiVersion: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
};
export const CONFIG_MAPS = namespaced('v1', 'ConfigMap', 'configmaps');
export const LIMIT_RANGES = namespaced('v1', 'LimitRange', 'limitranges');
export const RESOURCE_QUOTAS = namespaced('v1', 'ResourceQuota', 'resourcequotas');
export const SECRETS = namespaced('v1', 'Secret', 'secrets');
export const SERVICE_ACCOUNTS = namespaced('v1', 'ServiceAccount', 'serviceaccounts');
export const NETWORK_POLICIES = namespaced('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies');
export const ROLE_BINDINGS = namespaced(RBAC, 'RoleBinding', 'rolebindings');
export const SERVICES = namespaced('v1', 'Service', 'services');
export const DEPLOYMENTS = namespaced('apps/v1', 'Deployment', 'deployments');
export const DISRUPTION_BUDGETS = namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets');
export const AUTOSCALERS = namespaced(
  'autoscaling/v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
export const CLUSTER_ROLES: Resource = {
  apiVersion: RBAC,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
};
export const CLUSTER_ROLE_BINDINGS: Resource = {
  apiVersion: RBAC,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
};
const REGISTRATION = 'admissionregistration.k8s.io/v1';

export const ADMISSION_POLICIES: Resource = {
  apiVersion: REGISTRATION,
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  namespaced: false,
};
export const ADMISSION_POLICY_BINDINGS: Resource = {
  apiVersion: REGISTRATION,
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  namespaced: false,
};
export const VALIDATING_CONFIGURATIONS: Resource = {
  apiVersion: REGISTRATION,
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  namespaced: false,
};
export const MUTATING_CONFIGURATIONS: Resource = {
  apiVersion: REGISTRATION,
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  namespaced: false,
};
export const RUNTIME_CLASSES: Resource = {
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
};
export const NODES: Resource = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };
export const SERVICE_CIDRS: Resource = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
};
export const ENDPOINT_SLICES = namespaced('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices');

const DRA = 'resource.k8s.io/v1';

export const DEVICE_CLASSES: Resource = {
  apiVersion: DRA,
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  namespaced: false,
};
export const RESOURCE_SLICES: Resource = {
  apiVersion: DRA,
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  namespaced: false,
};
export const RESOURCE_CLAIMS = namespaced(DRA, 'ResourceClaim', 'resourceclaims');
