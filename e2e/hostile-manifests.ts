// SPDX-License-Identifier: Apache-2.0

/** A manifest that should be refused or do no harm. `body` is JSON text, since some of it no object can hold. */
export interface HostileManifest {
  readonly title: string;
  /** Path to POST to, below the API server's root. */
  readonly path: string;
  readonly body: string;
}

type Json = Record<string, unknown>;

const API = '/apis/nexusos.dev/v1alpha1';

interface Base {
  readonly kind: string;
  readonly path: (namespace: string) => string;
  readonly spec: Json;
}

const BASES: readonly Base[] = [
  {
    kind: 'Tenant',
    path: () => `${API}/tenants`,
    spec: {
      owners: [{ kind: 'User', name: 'eve', role: 'admin' }],
      namespaces: [{ suffix: 'x' }],
      quotas: { compute: { 'requests.cpu': '1' }, runs: { maxConcurrent: 1 } },
    },
  },
  {
    kind: 'Agent',
    path: (namespace) => `${API}/namespaces/${namespace}/agents`,
    spec: { container: { image: 'registry.example/agent:1', resources: { requests: { cpu: '10m' } } } },
  },
  {
    kind: 'Run',
    path: (namespace) => `${API}/namespaces/${namespace}/runs`,
    spec: { agentRef: { name: 'nobody' } },
  },
  {
    kind: 'GPUClass',
    path: () => `${API}/gpuclasses`,
    spec: { resourceName: 'nvidia.com/gpu', nodeSelector: { a: 'b' } },
  },
];

/** What may be wrong with a value, whatever field it stands in. */
const VALUES: Readonly<Record<string, string>> = {
  null: 'null',
  'a number': '7',
  'a negative number': '-1',
  'a number beyond 64 bits': '1e400',
  'a fraction': '0.1',
  'an empty string': '""',
  'a string of 100 kB': JSON.stringify('x'.repeat(100_000)),
  'an empty list': '[]',
  // Longer than any list may be, and no longer: the API server looks at each item before it refuses them all.
  'a list of 1,025': `[${Array.from({ length: 1025 }, (_, index) => `"n${index}"`).join(',')}]`,
  'an empty object': '{}',
  'an object 2,000 deep': `${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`,
  'a prototype': '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
  'control characters': JSON.stringify('a\u0000\u001b[31m\r\nb'),
  'right-to-left override': JSON.stringify('admin\u202egnp'),
  'Cyrillic look-alikes': JSON.stringify('аcme'),
  'a path': '"../../../../api/v1/namespaces/kube-system"',
  'a template': '"{{ .Values.secret }}${HOME}$(id)"',
  'a CEL injection': '"\') || true || (\'"',
  'a lone surrogate': '"\\ud800"',
  true: 'true',
};

const NAMES: readonly string[] = [
  'kube-system',
  'kube',
  'default',
  'nexusos',
  'nexusos-system',
  'openshift-x',
  'UPPER',
  'under_score',
  'dot.ted',
  '-lead',
  'trail-',
  'a'.repeat(41),
  'a'.repeat(254),
  'аcme',
  'acme\u200b',
  'ａｃｍｅ',
  '..',
  'a/b',
  '%2e%2e',
  ' ',
  '',
  '__proto__',
  'constructor',
  'a--b',
  '0',
];

const METADATA: Readonly<Record<string, Json>> = {
  'forged managed-by label': {
    labels: { 'app.kubernetes.io/managed-by': 'nexusos', 'nexusos.dev/tenant': 'acme' },
  },
  'finalizer of ours': { finalizers: ['nexusos.dev/tenant'] },
  'finalizer of nobody': { finalizers: ['example.com/never'] },
  'owner that does not exist': {
    ownerReferences: [
      { apiVersion: 'nexusos.dev/v1alpha1', kind: 'Tenant', name: 'acme', uid: '0', controller: true },
    ],
  },
  'annotation of 200 kB': { annotations: { big: 'x'.repeat(200_000) } },
  'annotation that forges the hash': {
    annotations: { 'nexusos.dev/applied-hash': 'x', 'nexusos.dev/tenant-uid': 'y' },
  },
  'label with a bad key': { labels: { 'Ünï/cödé': 'x' } },
  'uid and generation of its own': { uid: 'mine', generation: 99 },
  'resourceVersion of its own': { resourceVersion: '1' },
};

/**
 * At least 500 manifests, always the same ones: every kind of ours, with every field of its spec replaced by every bad
 * value, reserved and look-alike names, forged metadata and forged status. `namespace` is where namespaced ones go.
 */
export function hostileManifests(namespace: string): readonly HostileManifest[] {
  return BASES.flatMap((base, index) => [
    ...badValues(base, namespace, index),
    ...badNames(base, namespace),
    ...badMetadata(base, namespace),
    ...badShapes(base, namespace),
  ]);
}

interface Parts {
  readonly namespace: string;
  readonly metadata?: Json;
  /** JSON text of everything beside the metadata; the good spec when empty. */
  readonly rest?: string;
}

function manifest(base: Base, title: string, parts: Parts): HostileManifest {
  const metadata = JSON.stringify({ generateName: 'hostile-', ...parts.metadata });
  const rest = parts.rest ?? `"spec":${JSON.stringify(base.spec)}`;
  return {
    title: `${base.kind}: ${title}`,
    path: base.path(parts.namespace),
    body: `{"apiVersion":"nexusos.dev/v1alpha1","kind":"${base.kind}","metadata":${metadata},${rest}}`,
  };
}

function badValues(base: Base, namespace: string, salt: number): HostileManifest[] {
  return leafPaths(base.spec).flatMap((path) =>
    Object.entries(VALUES).map(([title, text], index) => {
      const marker = `@@${salt}-${index}@@`;
      const spec = JSON.stringify(replaceAt(base.spec, path, marker)).replace(
        JSON.stringify(marker),
        () => text,
      );
      return manifest(base, `${path.join('.')} is ${title}`, { namespace, rest: `"spec":${spec}` });
    }),
  );
}

function badNames(base: Base, namespace: string): HostileManifest[] {
  return NAMES.map((name) => {
    const metadata = { name, generateName: undefined };
    return manifest(base, `is named ${JSON.stringify(name.slice(0, 30))}`, { namespace, metadata });
  });
}

function badMetadata(base: Base, namespace: string): HostileManifest[] {
  return Object.entries(METADATA).map(([title, metadata]) => manifest(base, title, { namespace, metadata }));
}

function badShapes(base: Base, namespace: string): HostileManifest[] {
  const spec = `"spec":${JSON.stringify(base.spec)}`;
  const shapes: Record<string, string> = {
    'no spec': '"x":1',
    'spec is a list': '"spec":[]',
    'spec is a string': '"spec":"x"',
    'spec twice': `${spec},"spec":{}`,
    'unknown fields': `"spec":${JSON.stringify({ ...base.spec, surprise: { a: [1] } })}`,
    'status of its own': `${spec},"status":{"phase":"Succeeded","state":"Active","conditions":[]}`,
    'spec of 2 MB': `"spec":${JSON.stringify({ ...base.spec, filler: 'x'.repeat(2_000_000) })}`,
    'not JSON': `${spec},`,
  };
  return Object.entries(shapes).map(([title, rest]) => manifest(base, title, { namespace, rest }));
}

/** Every path to a value of `object`: objects, lists and leaves. */
function leafPaths(object: Json, prefix: readonly string[] = []): (readonly string[])[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const path = [...prefix, key];
    return typeof value === 'object' && value !== null ? [path, ...leafPaths(value as Json, path)] : [path];
  });
}

function replaceAt(object: Json, path: readonly string[], value: unknown): Json {
  const [head = '', ...rest] = path;
  const copy: Json = Array.isArray(object) ? ([...object] as unknown as Json) : { ...object };
  copy[head] = rest.length === 0 ? value : replaceAt(object[head] as Json, rest, value);
  return copy;
}
