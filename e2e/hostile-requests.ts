// SPDX-License-Identifier: Apache-2.0
import { agent, run } from './run-world.ts';

/** A request of a tenant's own administrator that must be refused. */
export interface HostileRequest {
  readonly method?: 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Below the API server's root. */
  readonly path: (place: HostilePlace) => string;
  readonly body?: (place: HostilePlace) => object;
  readonly status: number;
  /** Of the message: it names the field, or what would pass. */
  readonly words: RegExp;
}

/** Whom the requests are of, and whom they are against. */
export interface HostilePlace {
  readonly namespace: string;
  /** Of another tenant. */
  readonly victim: string;
  /** A pod of a Run of the tenant's own, and the Run. */
  readonly pod: string;
  readonly runUid: string;
}

const API = '/apis/nexusos.dev/v1alpha1';

function runs({ namespace }: { readonly namespace: string }): string {
  return `${API}/namespaces/${namespace}/runs`;
}

function agents({ namespace }: { readonly namespace: string }): string {
  return `${API}/namespaces/${namespace}/agents`;
}

function podPath({ namespace, pod }: HostilePlace): string {
  return `/api/v1/namespaces/${namespace}/pods/${pod}`;
}

/** A Run that its schema refuses. */
function odd(spec: object, words: RegExp): HostileRequest {
  return { path: runs, body: ({ namespace }) => run(namespace, 'odd', { spec }), status: 422, words };
}

function oddAgent(spec: object, words: RegExp): HostileRequest {
  return {
    path: agents,
    body: ({ namespace }) => ({ ...agent(namespace, spec), metadata: { name: 'odd', namespace } }),
    status: 422,
    words,
  };
}

/** A Run, or an Agent, with metadata that guardrails refuse. */
function marked(
  kind: 'run' | 'agent',
  metadata: (place: HostilePlace) => object,
  words: RegExp,
): HostileRequest {
  return {
    path: kind === 'run' ? runs : agents,
    body: (place) => {
      const { namespace } = place;
      const object = kind === 'run' ? run(namespace, 'odd') : agent(namespace);
      return { ...object, metadata: { name: 'odd', namespace, ...metadata(place) } };
    },
    status: 403,
    words,
  };
}

function ownedBy(kind: string): (place: HostilePlace) => object {
  return ({ runUid }) => ({
    ownerReferences: [
      { apiVersion: 'nexusos.dev/v1alpha1', kind, name: 'target', uid: runUid, controller: true },
    ],
  });
}

const LOOKALIKES: Readonly<Record<string, string>> = {
  'a Cyrillic letter': '\u043erder-17',
  'a full-width letter': '\uff4frder-17',
  'a zero-width space': 'order\u200b-17',
  'a no-break space': 'order\u00a017',
  'a combining accent': 'orde\u0301r-17',
  'a blank at its end': 'order-17 ',
  'a blank before it': ' order-17',
  'a tab': 'order\t17',
  'a new line': 'order-17\n',
  'a NUL': 'order-17\u0000',
  'an escape sequence': 'order\u001b[31m17',
  'nothing in it': '',
  'more than it may have': 'x'.repeat(256),
};

/** Keys that look like another one, or cannot be told from it. */
const KEYS = Object.fromEntries(
  Object.entries(LOOKALIKES).flatMap(([what, value]) => [
    [`an idempotency key with ${what}`, odd({ idempotencyKey: value }, /spec\.idempotencyKey/)],
    [`a session with ${what}`, odd({ session: value }, /spec\.session/)],
  ]),
);

const PARAMETERS: Readonly<Record<string, HostileRequest>> = {
  'an input of a megabyte': odd({ input: { inline: 'x'.repeat(1_048_576) } }, /spec\.input\.inline/),
  'a Run of four megabytes': {
    ...odd({ input: { inline: 'x'.repeat(4_194_304) } }, /large|limit/),
    status: 413,
  },
  'a parameter that is a path': odd({ parameters: { '../../etc/passwd': 'x' } }, /spec\.parameters/),
  'a parameter that is two': odd({ parameters: { 'a=b': 'x' } }, /spec\.parameters/),
  'a parameter on two lines': odd({ parameters: { 'a\nLD_PRELOAD': 'x' } }, /spec\.parameters/),
  'a parameter with a NUL in its name': odd({ parameters: { 'a\u0000b': 'x' } }, /spec\.parameters/),
  'a parameter that looks like another one': odd(
    { parameters: { t\u006fpic\u0430: 'x' } },
    /spec\.parameters/,
  ),
  'a value with a NUL': odd({ parameters: { a: 'x\u0000y' } }, /spec\.parameters.*U\+0000/),
  'a value beyond its size': odd({ parameters: { a: 'x'.repeat(2049) } }, /spec\.parameters\.a/),
  'more parameters than there may be': odd(
    { parameters: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`p${i}`, 'x'])) },
    /spec\.parameters.*at most 32/,
  ),
  'the prototype of all objects as a parameter': odd(
    { parameters: { ['__proto__']: 'x' } },
    /spec\.parameters/,
  ),
};

const REFERENCES: Readonly<Record<string, HostileRequest>> = {
  'an Agent of another tenant': odd({ agentRef: { name: 'hostile-b-main/worker' } }, /spec\.agentRef\.name/),
  'an Agent by a path': odd({ agentRef: { name: '../worker' } }, /spec\.agentRef\.name/),
  'a revision by a path': odd({ revision: '../../worker-1' }, /spec\.revision/),
  'a ConfigMap of another tenant': odd(
    { input: { configMapKeyRef: { name: 'hostile-b-main/data', key: 'doc' } } },
    /spec\.input\.configMapKeyRef\.name/,
  ),
  'a key that is a path': odd(
    { input: { secretKeyRef: { name: 'data', key: '../../token' } } },
    /spec\.input\.secretKeyRef\.key/,
  ),
  'an address with a new line': odd({ input: { uri: 's3://a/b\nX-Evil: 1' } }, /spec\.input\.uri/),
  'a priority beyond all others': odd({ priority: 2_147_483_647 }, /spec\.priority/),
  'a timeout that is none': odd({ timeoutSeconds: -1 }, /spec\.timeoutSeconds/),
  'retries without end': odd({ retries: { limit: 1_000_000 } }, /spec\.retries\.limit/),
  'devices past their quota': oddAgent(
    { container: { image: 'registry.example/w:1', resources: { limits: { 'nvidia.com/gpu': '1' } } } },
    /GPUs go under spec\.gpu/,
  ),
  'devices by a negative number': oddAgent({ gpu: { class: 'l4', count: -1 } }, /spec\.gpu\.count/),
  'compute that is less than nothing': oddAgent(
    { container: { image: 'registry.example/w:1', resources: { requests: { cpu: '-8' } } } },
    /resources\.requests\.cpu/,
  ),
  'a variable that is two': oddAgent(
    { container: { image: 'registry.example/w:1', env: [{ name: 'A=B\nC', value: 'x' }] } },
    /spec\.container\.env\[0\]\.name/,
  ),
};

const MARKS: Readonly<Record<string, HostileRequest>> = {
  'a Run marked as that of another tenant': marked(
    'run',
    () => ({ labels: { 'nexusos.dev/tenant': 'hostile-b' } }),
    /metadata\.labels/,
  ),
  'a Run marked as started by a schedule': marked(
    'run',
    ({ runUid }) => ({ labels: { 'nexusos.dev/scheduled-by': runUid } }),
    /metadata\.labels/,
  ),
  'a Run marked as made by NexusOS': marked(
    'run',
    () => ({ labels: { 'app.kubernetes.io/managed-by': 'nexusos' } }),
    /managed-by/,
  ),
  'an Agent marked as of another pool': marked(
    'agent',
    () => ({ labels: { 'nexusos.dev/node-pool': 'h100' } }),
    /metadata\.labels/,
  ),
  ...Object.fromEntries(
    ['Run', 'Agent', 'Tenant', 'QuotaLedger', 'AgentRevision'].map((kind) => [
      `a Run that says to be owned by a ${kind}`,
      marked('run', ownedBy(kind), /metadata\.ownerReferences/),
    ]),
  ),
};

const FORBIDDEN = /forbidden|policy_blocked/;

/** What a tenant's own administrator has no right to, or what guardrails keep from him. */
const RECORDS: Readonly<Record<string, HostileRequest>> = {
  'a Run in the namespace of another tenant': {
    path: ({ victim }) => runs({ namespace: victim }),
    body: ({ victim }) => run(victim, 'odd'),
    status: 403,
    words: FORBIDDEN,
  },
  'the status of a Run': {
    method: 'PATCH',
    path: (place) => `${runs(place)}/target/status`,
    body: () => ({ status: { phase: 'Succeeded', usage: { total: { runUnits: '0' } } } }),
    status: 403,
    words: FORBIDDEN,
  },
  'the status of an Agent': {
    method: 'PATCH',
    path: (place) => `${agents(place)}/worker/status`,
    body: () => ({ status: { activeRevision: { name: 'mine', number: 9 } } }),
    status: 403,
    words: FORBIDDEN,
  },
  'the status of the pod of a Run': {
    method: 'PATCH',
    path: (place) => `${podPath(place)}/status`,
    body: () => ({ status: { phase: 'Succeeded' } }),
    status: 403,
    words: FORBIDDEN,
  },
  'the binding of the pod of a Run': {
    path: (place) => `${podPath(place)}/binding`,
    body: ({ pod }) => ({
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: pod },
      target: { apiVersion: 'v1', kind: 'Node', name: 'h100-0' },
    }),
    status: 403,
    words: FORBIDDEN,
  },
  'the labels of the pod of a Run': {
    method: 'PATCH',
    path: podPath,
    body: () => ({ metadata: { labels: { 'nexusos.dev/gpu-class': 'h100' } } }),
    status: 403,
    words: FORBIDDEN,
  },
  'the finalizer of the pod of a Run': {
    method: 'PATCH',
    path: podPath,
    body: () => ({ metadata: { finalizers: null } }),
    status: 403,
    words: FORBIDDEN,
  },
  'another container beside that of a Run': {
    method: 'PATCH',
    path: (place) => `${podPath(place)}/ephemeralcontainers`,
    body: () => ({ spec: { ephemeralContainers: [{ name: 'spy', image: 'registry.example/spy:1' }] } }),
    status: 403,
    words: FORBIDDEN,
  },
  'the pod of a Run, deleted': { method: 'DELETE', path: podPath, status: 403, words: FORBIDDEN },
  'the ledger of its tenant': {
    method: 'PATCH',
    path: () => `${API}/quotaledgers/hostile-a/status`,
    body: () => ({ status: { reservations: [], usage: null } }),
    status: 403,
    words: FORBIDDEN,
  },
  'its own Tenant': {
    method: 'PATCH',
    path: () => `${API}/tenants/hostile-a`,
    body: () => ({ spec: { quotas: null } }),
    status: 403,
    words: FORBIDDEN,
  },
  'an AgentRevision of its own making': {
    path: ({ namespace }) => `${API}/namespaces/${namespace}/agentrevisions`,
    body: ({ namespace }) => ({
      apiVersion: 'nexusos.dev/v1alpha1',
      kind: 'AgentRevision',
      metadata: { name: 'worker-mine', namespace },
      spec: { agent: 'worker', revision: 9, digest: 'x', template: {} },
    }),
    status: 403,
    words: FORBIDDEN,
  },
  'a quota of its own': {
    method: 'PATCH',
    path: ({ namespace }) => `/api/v1/namespaces/${namespace}/resourcequotas/nexusos`,
    body: () => ({ spec: { hard: null } }),
    status: 403,
    words: FORBIDDEN,
  },
};

/** Requests that are refused, each with what the refusal says. */
export const HOSTILE_REQUESTS: Readonly<Record<string, HostileRequest>> = {
  ...KEYS,
  ...PARAMETERS,
  ...REFERENCES,
  ...MARKS,
  ...RECORDS,
};
