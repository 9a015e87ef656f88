// SPDX-License-Identifier: Apache-2.0
import { WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import { issuePair } from '../certificates/issue.ts';
import {
  type CertificateSettings,
  type CertificatesObserved,
  dueRenewal,
  hostsOf,
  planCertificates,
} from '../core/certificates/plan.ts';
import type { KubeObject } from '../core/object.ts';
import { clock } from '../runtime/clock.ts';
import type { Controller, PolicyRule, Reader } from '../runtime/controller.ts';
import { MUTATING_CONFIGURATIONS, SECRETS, VALIDATING_CONFIGURATIONS } from '../core/resources.ts';

const KEY = { name: WEBHOOKS_NAME } as const;
const fieldSelector = `metadata.name=${WEBHOOKS_NAME}`;

/**
 * The controller of what the admission process proves itself with: the Secret that it serves from, and what the API server trusts. The object is the
 * webhook configuration of the chart: without one nobody asks.
 */
export function webhookCertificatesController(
  settings: CertificateSettings,
): Controller<KubeObject, CertificatesObserved, undefined> {
  const { namespace, secretName } = settings;
  return {
    name: 'webhook-certificates',
    resource: VALIDATING_CONFIGURATIONS,
    selects: { fieldSelector },
    watches: [
      { resource: MUTATING_CONFIGURATIONS, fieldSelector, keys: () => [KEY] },
      { resource: SECRETS, namespace, fieldSelector: `metadata.name=${secretName}`, keys: () => [KEY] },
    ],
    rbac: certificateRules(secretName).cluster,
    platformRbac: certificateRules(secretName).platform,
    group: () => 'platform',
    observe: (configuration, read) => observe(configuration, read, settings),
    plan: (_, observed, now) => planCertificates(observed, settings, now),
  };
}

/** What it needs, all of it by name. The chart hands it out where the operator makes the certificate. */
export function certificateRules(secretName: string): {
  readonly cluster: readonly PolicyRule[];
  readonly platform: readonly PolicyRule[];
} {
  const verbs = ['get', 'list', 'watch', 'patch'];
  const configurations = [VALIDATING_CONFIGURATIONS, MUTATING_CONFIGURATIONS].map(({ plural }) => plural);
  return {
    cluster: [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: configurations,
        verbs,
        resourceNames: [WEBHOOKS_NAME],
      },
    ],
    platform: [
      // Creation by an apply names what is created.
      { apiGroups: [''], resources: ['secrets'], verbs: [...verbs, 'create'], resourceNames: [secretName] },
    ],
  };
}

async function observe(
  configuration: KubeObject,
  read: Reader,
  settings: CertificateSettings,
): Promise<CertificatesObserved> {
  const { namespace, secretName: name } = settings;
  const mutating = read.get(MUTATING_CONFIGURATIONS, KEY);
  const configurations = mutating === undefined ? [configuration] : [configuration, mutating];
  const secret = read.get(SECRETS, { namespace, name });
  const now = clock.now();
  const isDue = dueRenewal({ configurations, secret }, settings, now) !== undefined;
  const request = { hosts: hostsOf(configurations), now, validSeconds: settings.validSeconds };
  return { configurations, secret, fresh: isDue ? await issuePair(request) : undefined };
}
