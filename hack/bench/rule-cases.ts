// SPDX-License-Identifier: Apache-2.0
import type { BenchContainer, BenchPod } from './policy-packs.ts';

/** A pod that breaks a rule. */
export interface RuleCase {
  /** Words of the rule. */
  readonly says: string;
  readonly breaks: (pod: BenchPod) => BenchPod;
}

const DIGEST = `@sha256:${'0123456789abcdef'.repeat(4)}`;

/** Pods that break the sixteen rules of the platform and the five of a tenant: the good one with one thing changed. */
export const RULE_CASES: readonly RuleCase[] = [
  inContainer('must not be privileged', secured({ privileged: true })),
  inContainer('must not run as root', secured({ runAsNonRoot: false })),
  inContainer('must not write to its root', secured({ readOnlyRootFilesystem: false })),
  inContainer('must not gain privileges', secured({ allowPrivilegeEscalation: true })),
  inContainer('must not add capabilities', secured({ capabilities: { drop: ['ALL'], add: ['SYS_TIME'] } })),
  inContainer('must drop all capabilities', secured({ capabilities: { drop: ['KILL'] } })),
  inContainer('must be from a known registry', () => ({ image: `elsewhere.example/app${DIGEST}` })),
  inContainer('must say which version it is', () => ({ image: 'registry.example/team-a/app:latest' })),
  inContainer('must be pinned by digest', () => ({ image: 'registry.example/team-a/app:1' })),
  inContainer('must not have more than 8Gi', limited({ cpu: '500m', memory: '16Gi' })),
  inContainer('must have a limit of processors', limited({ memory: '512Mi' })),
  inContainer('must not have ports of the host', () => ({
    ports: [{ containerPort: 8080, hostPort: 8080, name: 'http' }],
  })),
  inContainer('must be confined', secured({ seccompProfile: { type: 'Unconfined' } })),
  inSpec('must not share namespaces of the host', { hostNetwork: true }),
  inSpec('must not have paths of the host', { volumes: [{ name: 'data', hostPath: { path: '/var/log' } }] }),
  inMetadata('must have the label app', { labels: { team: 'team-a' } }),
  inMetadata('only our team', { labels: { app: 'a', team: 'team-b' } }),
  inContainer('must be one of our images', () => ({ image: `mirror.example/app${DIGEST}` })),
  inContainer('must take secrets from Secrets', () => ({ env: [{ name: 'DB_PASSWORD', value: 'x' }] })),
  inContainer('must not have so many variables', () => ({
    env: Array.from({ length: 101 }, (_, at) => ({ name: `VARIABLE_${at}`, value: 'x' })),
  })),
  inMetadata('tell who to ask', { annotations: {} }),
];

function inContainer(says: string, change: (one: BenchContainer) => Partial<BenchContainer>): RuleCase {
  const breaks = (pod: BenchPod): BenchPod => {
    const [first, ...others] = pod.spec.containers;
    return { ...pod, spec: { ...pod.spec, containers: [{ ...first, ...change(first) }, ...others] } };
  };
  return { says, breaks };
}

function secured(change: Readonly<Record<string, unknown>>) {
  return ({ securityContext }: BenchContainer) => ({ securityContext: { ...securityContext, ...change } });
}

function limited(limits: BenchContainer['resources']['limits']) {
  return ({ resources }: BenchContainer) => ({ resources: { ...resources, limits } });
}

function inSpec(says: string, change: Partial<BenchPod['spec']>): RuleCase {
  return { says, breaks: (pod) => ({ ...pod, spec: { ...pod.spec, ...change } }) };
}

function inMetadata(says: string, change: Partial<BenchPod['metadata']>): RuleCase {
  return { says, breaks: (pod) => ({ ...pod, metadata: { ...pod.metadata, ...change } }) };
}
