// SPDX-License-Identifier: Apache-2.0
import type { KindDescriptor } from '#crds/openapi/kind';
import { AGENT } from '#crds/v1alpha1/agent';
import { GPU_CLASS } from '#crds/v1alpha1/gpu-class';
import { API_VERSION } from '#crds/v1alpha1/names';
import { POLICY_EXEMPTION } from '#crds/v1alpha1/policy-exemption';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { POLICY_PACK_REVISION } from '#crds/v1alpha1/policy-pack-revision';
import { POLICY_REPLICA } from '#crds/v1alpha1/policy-replica';
import { TENANT } from '#crds/v1alpha1/tenant';
import type { Resource } from '#operator/core/object';

const REGISTRATION = 'admissionregistration.k8s.io/v1';

function ours({ kind, plural, scope }: KindDescriptor): Resource {
  return { apiVersion: API_VERSION, kind, plural, namespaced: scope === 'Namespaced' };
}

export const TENANTS = ours(TENANT);
export const GPU_CLASSES = ours(GPU_CLASS);
export const AGENTS = ours(AGENT);
export const POLICY_PACKS = ours(POLICY_PACK);
export const POLICY_PACK_REVISIONS = ours(POLICY_PACK_REVISION);
export const POLICY_EXEMPTIONS = ours(POLICY_EXEMPTION);
export const POLICY_REPLICAS = ours(POLICY_REPLICA);

export const NAMESPACES: Resource = {
  apiVersion: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
};
export const CONFIG_MAPS: Resource = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};
export const SECRETS: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };
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
