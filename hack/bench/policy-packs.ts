// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import { compilePack, sourceFiles } from '#operator/rego/compile';
import { ENTRYPOINT } from '#operator/rego/wrapper';
import { toolchainAt } from '#operator/rego/toolchain';
import { type PolicyModule, verifyModule } from '#operator/policy/module';
import { ensureTools } from '../tools/build.ts';

/** What every pack is asked. */
export const DECISION = ENTRYPOINT;
/** Whose rules and pods these are. */
export const BENCH_TENANT = 'team-a';
/** What the rules are given. */
export const BENCH_PARAMETERS = { registries: ['registry.example/', 'mirror.example/'] };

const containers = (condition: string, message: string): string => `
deny contains {"msg": sprintf("container %v ${message}", [c.name]), "field": sprintf("spec.containers[%v]", [c.name])} if {
  some c in input.review.object.spec.containers
  ${condition}
}`;

/** Sixteen rules about pods, as a platform has them: what Pod Security has, limits, images and labels. */
export const PLATFORM_RULES: readonly string[] = [
  containers('c.securityContext.privileged == true', 'must not be privileged'),
  containers('not c.securityContext.runAsNonRoot == true', 'must not run as root'),
  containers('not c.securityContext.readOnlyRootFilesystem == true', 'must not write to its root'),
  containers('c.securityContext.allowPrivilegeEscalation != false', 'must not gain privileges'),
  containers(
    'some cap in c.securityContext.capabilities.add; not cap in {"NET_BIND_SERVICE"}',
    'must not add capabilities',
  ),
  containers('not "ALL" in c.securityContext.capabilities.drop', 'must drop all capabilities'),
  containers(
    'not strings.any_prefix_match(c.image, input.parameters.registries)',
    'must be from a known registry',
  ),
  containers('endswith(c.image, ":latest")', 'must say which version it is'),
  containers('not regex.match("@sha256:[0-9a-f]{64}$", c.image)', 'must be pinned by digest'),
  containers(
    'units.parse_bytes(c.resources.limits.memory) > units.parse_bytes("8Gi")',
    'must not have more than 8Gi',
  ),
  containers('not c.resources.limits.cpu', 'must have a limit of processors'),
  containers('some p in c.ports; p.hostPort', 'must not have ports of the host'),
  containers('c.securityContext.seccompProfile.type == "Unconfined"', 'must be confined'),
  'deny contains "pods must not share namespaces of the host" if input.review.object.spec.hostNetwork == true',
  'deny contains "pods must not have paths of the host" if { some v in input.review.object.spec.volumes; v.hostPath }',
  'deny contains sprintf("pods must have the label %v", [l]) if { some l in ["app", "team"]; not input.review.object.metadata.labels[l] }',
];

/** Five of a tenant. */
export const TENANT_RULES: readonly string[] = [
  'deny contains "only our team" if input.review.object.metadata.labels.team != input.tenant.name',
  containers('not startswith(c.image, "registry.example/team-a/")', 'must be one of our images'),
  containers(
    'some e in c.env; regex.match("(?i)(password|token|secret)", e.name); e.value',
    'must take secrets from Secrets',
  ),
  containers('count(c.env) > 100', 'must not have so many variables'),
  'deny contains "tell who to ask" if not input.review.object.metadata.annotations["example.com/owner"]',
];

/** The pack of the platform, that of a tenant, and as many more small ones as are wanted. */
export async function compileBenchPacks(more: number): Promise<{
  readonly platform: PolicyModule;
  readonly tenant: PolicyModule;
  readonly others: readonly PolicyModule[];
}> {
  const others: PolicyModule[] = [];
  for (let index = 0; index < more; index += 1) {
    others.push(
      await compile([
        `deny contains "number ${index}" if input.review.name == "pod-${index}"`,
        ...TENANT_RULES,
      ]),
    );
  }
  return { platform: await compile(PLATFORM_RULES), tenant: await compile(TENANT_RULES), others };
}

/** Rules that take longer than any evaluation may. */
export function compileRunaway(): Promise<PolicyModule> {
  const search =
    'some a in numbers.range(1, 500); some b in numbers.range(1, 500); some c in numbers.range(1, 500)';
  return compile([`deny contains "found" if { ${search}; a * b == c + 1000000 }`]);
}

/** Rules as a module of Rego. */
export function moduleOf(rules: readonly string[]): string {
  return ['package rules', ...rules].join('\n');
}

async function compile(rules: readonly string[]): Promise<PolicyModule> {
  const { opa } = await ensureTools(['opa']);
  const { run, capabilities } = toolchainAt(opa);
  const files = sourceFiles({ 'rules.rego': moduleOf(rules) }, undefined);
  const made = await compilePack({ files, regoVersion: 'V1' }, { run, capabilities: await capabilities() });
  if (made.kind === 'refused') throw new Error(JSON.stringify(made.problems));
  const verification = verifyModule(made.pack.wasm);
  if (verification.kind === 'refused') throw new Error(JSON.stringify(verification.faults));
  return verification.module;
}

/** A container of the pod, as far as rules look at it. */
export interface BenchContainer {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly {
    readonly containerPort: number;
    readonly name: string;
    readonly hostPort?: number;
  }[];
  readonly resources: {
    readonly limits: { readonly cpu?: string; readonly memory: string };
    readonly requests: object;
  };
  readonly securityContext: Readonly<Record<string, unknown>>;
}

/** A pod that rules are asked about. */
export interface BenchPod extends KubeObject {
  readonly spec: {
    readonly containers: readonly [BenchContainer, ...BenchContainer[]];
    readonly volumes: readonly object[];
    readonly hostNetwork?: boolean;
  };
}

function container(index: number): BenchContainer {
  return {
    name: `c${index}`,
    image: `registry.example/team-a/app-${index}@sha256:${'0123456789abcdef'.repeat(4)}`,
    // As tenants have to: nobody runs what another has pulled.
    imagePullPolicy: 'Always',
    env: Array.from({ length: 8 }, (_, at) => ({ name: `VARIABLE_${at}`, value: `value ${at}` })),
    ports: [{ containerPort: 8080, name: 'http' }],
    resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    securityContext: {
      privileged: false,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

/** A pod that is right by all rules, as most are. */
export function benchPod(namespace: string): BenchPod {
  const metadata = {
    name: 'pod-a',
    namespace,
    labels: { app: 'a', team: BENCH_TENANT },
    annotations: { 'example.com/owner': 'a@example.com' },
  };
  const containers = [container(0), container(1), container(2)] as const;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { containers, volumes: [{ name: 'data', emptyDir: {} }] },
  };
}

/** A review of that pod, of some 3 KB. */
export function podReview(): Uint8Array {
  return benchInput(benchPod(BENCH_TENANT));
}

/** What rules are asked about a pod. */
export function benchInput(object: BenchPod): Uint8Array {
  const { name, namespace } = object.metadata;
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  const review = { uid: '1', kind, name, namespace, operation: 'CREATE', object };
  const tenant = { name: BENCH_TENANT, plan: 'standard' };
  return new TextEncoder().encode(
    JSON.stringify({ review, parameters: BENCH_PARAMETERS, tenant, time: '2026-11-22T12:00:00Z' }),
  );
}
