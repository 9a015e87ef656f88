// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '../../core/object.ts';
import type { Key, Reader } from '../../runtime/controller.ts';
import { PARTITION } from './partition.ts';
import { AGENT_REVISIONS, AGENTS, GPU_CLASSES, QUOTA_LEDGERS, RUNS, TENANTS } from '../../core/resources.ts';
import { watchRevisions } from './revisions.ts';
import { INDEX, namespacesOf, PODS } from './workloads.ts';

const AGENT_OF = { agentRef: { name: 'worker' } };
const DEVICES = { class: 'h100', count: 1 };
const RESERVED = { uid: 'u', namespace: 'acme-main', name: 'r', agent: 'a', attempt: 1 };

function make(
  { kind }: Resource,
  key: Key,
  { spec = {}, status = {} }: { readonly spec?: object; readonly status?: object } = {},
): KubeObject {
  return { apiVersion: API_VERSION, kind, metadata: { ...key }, spec, status };
}

function ledger(spec: object = {}, status: object = {}): KubeObject {
  return make(QUOTA_LEDGERS, { name: 'acme' }, { spec: { namespaces: ['acme-main'], ...spec }, status });
}

function unasked(): Promise<never> {
  return Promise.reject(new Error('nothing is asked of the API server'));
}

function readerOf(objects: readonly KubeObject[]): Reader {
  return {
    get: ({ kind }, { namespace, name }) =>
      objects.find(
        (one) => one.kind === kind && one.metadata.name === name && one.metadata.namespace === namespace,
      ),
    list: ({ kind }, { index, value } = {}) =>
      objects.filter(
        (one) =>
          one.kind === kind && index === INDEX.ledgerOf && namespacesOf(one as never).includes(value ?? ''),
      ),
    live: unasked,
    listLive: unasked,
    anyLive: unasked,
  };
}

interface Case {
  readonly of: Resource;
  readonly key: Key;
  readonly among: readonly KubeObject[];
  /** Undefined: who leads. */
  readonly want: string | undefined;
}

const RUN = { namespace: 'acme-main', name: 'r' };
const WORKER = { namespace: 'acme-main', name: 'worker' };

const REVISION = { namespace: 'acme-main', name: 'worker-0a1b2c' };
/** An Agent with another revision than that, and without devices. */
const ACTIVE = make(AGENTS, WORKER, {
  status: { activeRevision: { name: 'worker-3d4e5f', number: 2, generation: 2 } },
});

function bound(): KubeObject {
  return make(RUNS, RUN, { spec: AGENT_OF, status: { revision: { name: REVISION.name, number: 1 } } });
}

function revision(template: object): KubeObject {
  return make(AGENT_REVISIONS, REVISION, { spec: { agent: 'worker', revision: 1, template } });
}

const CASES: Record<string, Case> = {
  'a tenant is its own': { of: TENANTS, key: { name: 'acme' }, among: [], want: 'acme' },
  'a ledger is its tenant’s': { of: QUOTA_LEDGERS, key: { name: 'acme' }, among: [ledger()], want: 'acme' },
  'a ledger that deals out devices is of who leads': {
    of: QUOTA_LEDGERS,
    key: { name: 'acme' },
    among: [ledger({ gpus: [DEVICES] })],
    want: undefined,
  },
  'so is one that has none any more, and still has some dealt out': {
    of: QUOTA_LEDGERS,
    key: { name: 'acme' },
    among: [ledger({ gpus: [] }, { reservations: [{ ...RESERVED, gpuClass: 'h100', gpus: 1 }] })],
    want: undefined,
  },
  'the tenant of such a ledger is its own': {
    of: TENANTS,
    key: { name: 'acme' },
    among: [ledger({ gpus: [DEVICES] })],
    want: 'acme',
  },
  'classes are of who leads': { of: GPU_CLASSES, key: { name: 'h100' }, among: [], want: undefined },
  'what is in a namespace is its tenant’s': { of: AGENTS, key: WORKER, among: [ledger()], want: 'acme' },
  'also where the tenant has left it and holds something there': {
    of: PODS,
    key: RUN,
    among: [ledger({ namespaces: [] }, { reservations: [RESERVED] })],
    want: 'acme',
  },
  'where there is no tenant, it goes by the namespace': { of: PODS, key: RUN, among: [], want: 'acme-main' },
  'a Run is its tenant’s': {
    of: RUNS,
    key: RUN,
    among: [ledger(), make(RUNS, RUN, { spec: AGENT_OF }), make(AGENTS, WORKER)],
    want: 'acme',
  },
  'also in a tenant that has devices, if it asks for none': {
    of: RUNS,
    key: RUN,
    among: [ledger({ gpus: [DEVICES] }), make(RUNS, RUN, { spec: AGENT_OF }), make(AGENTS, WORKER)],
    want: 'acme',
  },
  'one that asks for devices is of who leads': {
    of: RUNS,
    key: RUN,
    among: [ledger(), make(RUNS, RUN, { spec: AGENT_OF }), make(AGENTS, WORKER, { spec: { gpu: DEVICES } })],
    want: undefined,
  },
  'so is one that has some, whatever has become of its Agent': {
    of: RUNS,
    key: RUN,
    among: [ledger(), make(RUNS, RUN, { spec: AGENT_OF, status: { gpu: DEVICES } })],
    want: undefined,
  },
  'one that is bound to a revision with devices, too, though its Agent has none any more': {
    of: RUNS,
    key: RUN,
    among: [ledger(), bound(), ACTIVE, revision({ gpu: DEVICES })],
    want: undefined,
  },
  'also where its Agent is gone': {
    of: RUNS,
    key: RUN,
    among: [ledger(), bound(), revision({ gpu: DEVICES })],
    want: undefined,
  },
  'and one that names such a revision': {
    of: RUNS,
    key: RUN,
    among: [
      ledger(),
      make(RUNS, RUN, { spec: { ...AGENT_OF, revision: REVISION.name } }),
      ACTIVE,
      revision({ gpu: DEVICES }),
    ],
    want: undefined,
  },
  'one that is bound to a revision without any is its tenant’s, though its Agent has some now': {
    of: RUNS,
    key: RUN,
    among: [ledger(), bound(), make(AGENTS, WORKER, { spec: { gpu: DEVICES } }), revision({})],
    want: 'acme',
  },
  'without its revision, it goes by its Agent': {
    of: RUNS,
    key: RUN,
    among: [ledger(), bound(), make(AGENTS, WORKER, { spec: { gpu: DEVICES } })],
    want: undefined,
  },
  'an Agent of the same name elsewhere says nothing': {
    of: RUNS,
    key: RUN,
    among: [
      ledger(),
      make(RUNS, RUN, { spec: AGENT_OF }),
      make(AGENTS, { ...WORKER, namespace: 'other-main' }, { spec: { gpu: DEVICES } }),
    ],
    want: 'acme',
  },
  'a Run that is gone is its tenant’s': { of: RUNS, key: RUN, among: [ledger()], want: 'acme' },
};

for (const [sentence, { of, key, among, want }] of Object.entries(CASES)) {
  test(sentence, (t) => t.is(PARTITION.groupOf(of, key, readerOf(among)), want));
}

function moved(
  resource: Resource,
  old: KubeObject | undefined,
  object: KubeObject | undefined,
): readonly string[] {
  const moves = PARTITION.moves.filter((one) => one.resource === resource);
  return moves.flatMap(({ namespaces }) => namespaces({ old, object }));
}

test('a namespace that comes to a tenant, or leaves it, is moved; what else changes of a ledger moves nothing', (t) => {
  const two = ledger({ namespaces: ['acme-main', 'acme-more'] });
  t.deepEqual(moved(QUOTA_LEDGERS, undefined, ledger()), ['acme-main']);
  t.deepEqual(moved(QUOTA_LEDGERS, ledger(), two), ['acme-more']);
  t.deepEqual(moved(QUOTA_LEDGERS, two, ledger()), ['acme-more']);
  t.deepEqual(moved(QUOTA_LEDGERS, ledger(), undefined), ['acme-main']);
  t.deepEqual(moved(QUOTA_LEDGERS, ledger(), ledger({}, { reservations: [RESERVED] })), []);
});

test('an Agent that begins or ceases to ask for devices moves Runs of its namespace', (t) => {
  const [with1, with2] = [1, 2].map((count) =>
    make(AGENTS, WORKER, { spec: { gpu: { class: 'h100', count } } }),
  );
  const without = make(AGENTS, WORKER);
  t.deepEqual(moved(AGENTS, without, with1), ['acme-main']);
  t.deepEqual(moved(AGENTS, with1, undefined), ['acme-main']);
  t.deepEqual(moved(AGENTS, with1, with2), []);
  t.deepEqual(moved(AGENTS, undefined, without), []);
});

test('a revision that comes, or goes, moves Runs of its namespace, and what is watched of it stays small', (t) => {
  const [one, other] = [revision({}), revision({ gpu: DEVICES })];
  t.deepEqual(moved(AGENT_REVISIONS, undefined, one), ['acme-main']);
  t.deepEqual(moved(AGENT_REVISIONS, other, undefined), ['acme-main']);
  t.deepEqual(moved(AGENT_REVISIONS, one, one), []);
  const [watch] = PARTITION.moves.filter(({ resource }) => resource === AGENT_REVISIONS);
  t.is(watch?.trim, watchRevisions(() => []).trim, 'else all watches on revisions would keep all');
});
