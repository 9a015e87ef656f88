// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import type { KubeObject } from '#operator/core/object';
import { floorExemptions } from '#operator/core/policy-floor/exemptions';
import { type FloorSource, policyOf } from '#operator/core/policy-floor/objects';
import { attachCluster } from '../cluster/attach.ts';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { eventually } from '../tools/eventually.ts';

const PACK = { namespace: 'nexusos-system', name: 'ends', uid: 'ends' };
const REGISTRATIONS = '/apis/admissionregistration.k8s.io/v1';
const HOUR_MS = 3_600_000;

/** A floor that warns of ConfigMaps with a key, in a namespace of its own. */
class Floor {
  readonly #admin: AttachedCluster['admin'];
  readonly #name: string;

  constructor({ admin }: AttachedCluster, name: string) {
    this.#admin = admin;
    this.#name = name;
  }

  get maps(): string {
    return `/api/v1/namespaces/${this.#name}/configmaps`;
  }

  /** Makes what is there before the floor. */
  async begin(): Promise<void> {
    await this.#must('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: this.#name },
    });
    await this.#must('POST', this.maps, configMap('try', { token: 'sk-1', other: 'x' }));
  }

  /** Binds the floor as an operator writes it that knows of the exemption while that counts. */
  async bind(expiresAt: Date): Promise<void> {
    const exemption = {
      name: 'e',
      packRef: PACK,
      subjects: { namespaces: [this.#name], names: ['try'] },
      expiresAt: expiresAt.toISOString(),
      ticket: 't',
      requestedBy: 'asker',
      approval: { decision: 'Approved', by: 'approver' },
    };
    const { exemptions } = floorExemptions([exemption], PACK, new Date(expiresAt.getTime() - HOUR_MS));
    const policy = policyOf(this.#name, SOURCE, { exemptions, settings: SETTINGS });
    await this.#must('POST', `${REGISTRATIONS}/validatingadmissionpolicies`, policy);
    await this.#must('POST', `${REGISTRATIONS}/validatingadmissionpolicybindings`, bindingOf(this.#name));
    await eventually('the floor is held', async () => {
      const { warnings } = await this.send('POST', '', configMap('other', { token: 'sk-1' }));
      return warnings.length > 0;
    });
  }

  /** Tries a request, which is carried out in no case. */
  send(method: Parameters<AttachedCluster['admin']['send']>[0], path: string, body: object) {
    const joint = path.includes('?') ? '&' : '?';
    return this.#admin.send(method, `${this.maps}${path}${joint}dryRun=All`, { ...body });
  }

  /** What is there, with changes. */
  async changed(change: (map: ReturnType<typeof configMap>) => object): Promise<object> {
    const found = (await this.#admin.get(`${this.maps}/try`)) as unknown as ReturnType<typeof configMap>;
    return change(found);
  }

  async #must(method: 'POST', path: string, body: object): Promise<void> {
    const { status, text } = await this.#admin.send(method, path, { ...body });
    if (status !== 201) throw new Error(text);
  }
}

const SETTINGS = { platformNamespace: 'nexusos-system', operatorUser: '' };
const SOURCE: FloorSource = {
  pack: PACK,
  revision: 'ends-1',
  version: '1',
  contact: undefined,
  floor: {
    rules: [{ rule: 'no-keys', expression: "!object.data.token.startsWith('sk-')", message: 'a key' }],
  },
  binding: { rules: [{ apiGroups: [''], resources: ['configmaps'] }] },
  parameters: undefined,
  enforcement: 'Warn',
};

function bindingOf(name: string): KubeObject {
  return {
    apiVersion: REGISTRATIONS.slice('/apis/'.length),
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ['Warn'],
      matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } },
    },
  };
}

function configMap(name: string, data: Readonly<Record<string, string>>) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

async function opened(t: ExecutionContext, name: string, endsInMs: number): Promise<Floor> {
  t.timeout(60_000);
  const floor = new Floor(await attachCluster(), name);
  await floor.begin();
  await floor.bind(new Date(Date.now() + endsInMs));
  return floor;
}

type Map = ReturnType<typeof configMap>;
const withKey = (map: Map): Map => ({ ...map, data: { ...map.data, token: 'sk-2' } });
const noted = (map: Map, managedFields: readonly object[]): Map => {
  const metadata = { ...map.metadata, managedFields };
  return { ...map, metadata };
};

/** Ways to change what is there to what is not allowed. */
const CHANGES: Readonly<Record<string, (floor: Floor) => Promise<readonly string[]>>> = {
  'by replacing it': (floor) => replaced(floor, withKey),
  'by applying': async (floor) => {
    const sent = configMap('try', { token: 'sk-2' });
    const { status, warnings, text } = await floor.send(
      'PATCH',
      '/try?fieldManager=another&force=true',
      sent,
    );
    return status === 200 ? warnings : [text];
  },
  'with times of his own': (floor) =>
    replaced(floor, (map) =>
      noted(
        withKey(map),
        ((map.metadata as { managedFields?: readonly object[] }).managedFields ?? []).map((one) => ({
          ...one,
          time: '2020-01-01T00:00:00Z',
        })),
      ),
    ),
};

async function replaced(floor: Floor, change: (map: Map) => object): Promise<readonly string[]> {
  const { status, warnings, text } = await floor.send('PUT', '/try', await floor.changed(change));
  return status === 200 ? warnings : [text];
}

test('while an exemption lasts, what it is for may be changed, in every way', async (t) => {
  const floor = await opened(t, 'floor-exempt-lasts', HOUR_MS);
  for (const [title, change] of Object.entries(CHANGES)) t.deepEqual(await change(floor), [], title);
});

test('once it is over, nothing is made or changed by it, though nobody takes it out', async (t) => {
  const floor = await opened(t, 'floor-exempt-over', -1);
  for (const [title, change] of Object.entries(CHANGES)) {
    const told = await change(floor);
    t.is(told.length, 1, title);
    t.regex(told[0] ?? '', /rule no-keys: a key/, title);
  }
});

test('who has the times taken out of an object is not exempt by it', async (t) => {
  for (const [name, endsInMs] of [
    ['floor-exempt-untold', HOUR_MS],
    ['floor-exempt-untold-over', -1],
  ] as const) {
    const told = await replaced(await opened(t, name, endsInMs), (map) => noted(withKey(map), [{}]));
    t.regex(told.join(), /rule no-keys: a key/, name);
  }
});
