// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isJsonObject, type JsonObject, type Review } from '#operator/core/policy/review';
import { policyOf } from '#operator/core/policy-floor/objects';
import { floorIn } from '#operator/rego/floor';
import { listAt, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import { openCompiler } from '#nexusctl/pack/compiler';
import { readDocuments } from '#nexusctl/pack/documents';
import { readPack } from '#nexusctl/pack/folder';
import { reviewOfRequest } from '#nexusctl/pack/review-of';
import { judge, openPack, type ReadyPack } from '#nexusctl/pack/verdict';
import { attachCluster } from '../cluster/attach.ts';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { ensureTools } from '../tools/build.ts';
import { eventually } from '../tools/eventually.ts';
import { PACKS_FOLDER, readShippedPacks } from './packs.ts';
import { podVariants } from './testing/pod-variants.ts';

const ROOT = join(import.meta.dirname, '../..');
const PREFIX = 'floor-twins';
const AT_ONCE = 8;
const KINDS: Readonly<Record<string, string>> = {
  ConfigMap: '/api/v1/%/configmaps',
  CronJob: '/apis/batch/v1/%/cronjobs',
  Deployment: '/apis/apps/v1/%/deployments',
  Pod: '/api/v1/%/pods',
  PodTemplate: '/api/v1/%/podtemplates',
  ReplicationController: '/api/v1/%/replicationcontrollers',
};

/** What both are asked. */
interface Question {
  readonly name: string;
  readonly parameters: JsonObject;
  readonly object: JsonObject;
  readonly oldObject?: JsonObject;
}

/** The pack in the WASM host, and its floor in the API server, apart: a namespace for each set of parameters, where the floor only warns. */
class Twins {
  readonly ready: ReadyPack;
  readonly rules: ReadonlySet<string>;
  readonly #cluster: AttachedCluster;
  /** How many questions both have answered. */
  compared = 0;
  /** Names of those that the API server refuses as invalid, whoever asks: nothing is to be held there. */
  readonly invalid: string[] = [];
  readonly #namespaces = new Map<string, Promise<string>>();

  constructor(cluster: AttachedCluster, ready: ReadyPack) {
    const found = floorIn(ready.pack.source.files);
    if (found.kind !== 'ok' || found.floor === undefined) throw new Error(`${ready.pack.name} has no floor`);
    this.#cluster = cluster;
    this.ready = ready;
    this.rules = new Set(found.floor.rules.map(({ rule }) => rule));
  }

  /** Where the two differ; empty where they agree. */
  async difference(question: Question): Promise<string> {
    const namespace = await this.#namespaceOf(question.parameters);
    const answer = await this.#send(question, namespace);
    if (answer.status === 422) {
      this.invalid.push(question.name);
      return '';
    }
    if (answer.status >= 300) return `${question.name}: ${answer.text}`;
    this.compared += 1;
    const floor = answer.warnings.flatMap((one) => /, rule ([\w-]+): /.exec(one)?.[1] ?? []);
    const wasm = this.#says(question, JSON.parse(answer.text) as JsonObject);
    const [left, right] = [listed(floor), listed(wasm)];
    return left === right ? '' : `${question.name}: the floor says [${left}], Rego [${right}]`;
  }

  /** Rules that the pack has something to say by, of those that have a twin. The object is as the API server passes it on: with its defaults. */
  #says({ parameters, oldObject }: Question, object: JsonObject): readonly string[] {
    const operation = oldObject === undefined ? 'CREATE' : 'UPDATE';
    const before = oldObject === undefined ? {} : { oldObject: this.#stored.get(oldObject) ?? oldObject };
    const read = reviewOfRequest({ operation, object, ...before });
    if (read.kind === 'refused') throw new Error(read.message);
    return this.#denials(read.review, parameters);
  }

  #denials(review: Review, parameters: JsonObject): readonly string[] {
    const facts = { tenant: undefined, namespace: { name: review.namespace, labels: {} } };
    const around = { facts, now: new Date(0), trust: 'Platform', point: 'webhook', parameters } as const;
    const { composition } = judge(this.ready, review, around);
    return (composition?.denials ?? []).map(({ rule }) => rule).filter((rule) => this.rules.has(rule));
  }

  /** What an object names must be there. */
  async prepare(object: JsonObject): Promise<void> {
    const handler = textAt(objectAt(object, 'spec'), 'runtimeClassName');
    if (handler === '') return;
    const metadata = { name: handler };
    const made = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata, handler };
    await this.#cluster.admin.send('POST', '/apis/node.k8s.io/v1/runtimeclasses', made);
  }

  readonly #stored = new Map<JsonObject, JsonObject>();

  async #send({ object, oldObject }: Question, namespace: string) {
    const path = (KINDS[textAt(object, 'kind')] ?? '').replace('%', `namespaces/${namespace}`);
    const { namespace: _, ...metadata } = objectAt(object, 'metadata');
    const sent = { ...object, metadata };
    if (oldObject === undefined) return this.#cluster.admin.send('POST', `${path}?dryRun=All`, sent);
    const name = textAt(metadata, 'name');
    const before = { ...oldObject, metadata: { ...objectAt(oldObject, 'metadata'), namespace } };
    await this.#cluster.admin.send('DELETE', `${path}/${name}?gracePeriodSeconds=0`);
    const made = await this.#cluster.admin.send('POST', path, before);
    if (made.status >= 300) return made;
    this.#stored.set(oldObject, JSON.parse(made.text) as JsonObject);
    const field = `${path}/${name}?dryRun=All&fieldManager=twins&force=true`;
    return this.#cluster.admin.send('PATCH', field, sent);
  }

  #namespaceOf(parameters: JsonObject): Promise<string> {
    const key = JSON.stringify(parameters);
    const known = this.#namespaces.get(key) ?? this.#bind(parameters);
    this.#namespaces.set(key, known);
    return known;
  }

  async #bind(parameters: JsonObject): Promise<string> {
    const { admin } = this.#cluster;
    const found = floorIn(this.ready.pack.source.files);
    if (found.kind !== 'ok' || found.floor === undefined) throw new Error('no floor');
    const { spec } = this.ready.pack;
    // By what is in it: several tests, and runs, ask the same cluster.
    const digest = createHash('sha256')
      .update(JSON.stringify([found.floor, parameters]))
      .digest('hex');
    const name = `${PREFIX}-${this.ready.pack.name}-${digest.slice(0, 12)}`;
    await admin.send('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
    const pack = { namespace: 'nexusos-system', name: this.ready.pack.name, uid: 'twins' };
    const source = { pack, revision: name, contact: undefined, floor: found.floor, ...spec, parameters };
    const settings = { platformNamespace: 'nexusos-system', operatorUser: '' };
    const registrations = '/apis/admissionregistration.k8s.io/v1';
    const policy = policyOf(name, source, { exemptions: [], settings });
    const binding = {
      apiVersion: policy.apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: {
        policyName: name,
        validationActions: ['Warn'],
        matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } },
      },
    };
    for (const [path, one] of [
      [`${registrations}/validatingadmissionpolicies`, policy],
      [`${registrations}/validatingadmissionpolicybindings`, binding],
    ] as const) {
      const { status, text } = await admin.send('POST', path, one);
      if (status !== 201 && status !== 409) throw new Error(text);
    }
    await eventually(`the floor in ${name} is held`, async () => {
      const path = `/api/v1/namespaces/${name}/pods?dryRun=All`;
      const { text, warnings } = await admin.send('POST', path, PRIVILEGED);
      if (warnings.length === 0) throw new Error(text);
      return true;
    });
    return name;
  }
}

const PRIVILEGED = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'held' },
  spec: {
    hostPID: true,
    containers: [
      {
        name: 'main',
        image: 'a:1',
        env: [{ name: 'KEY', value: 'x' }],
        securityContext: { privileged: true },
      },
    ],
  },
};

function listed(rules: readonly string[]): string {
  return [...new Set(rules)].toSorted((a, b) => (a < b ? -1 : 1)).join(', ');
}

async function open(name: string): Promise<Twins> {
  const { opa } = await ensureTools(['opa']);
  const compiler = await openCompiler({ args: [], flags: { opa }, env: {}, cwd: ROOT });
  const pack = await readPack(join(ROOT, PACKS_FOLDER, name));
  return new Twins(await attachCluster(), await openPack(pack, compiler));
}

async function differences(twins: Twins, questions: readonly Question[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (let at = 0; at < questions.length; at += AT_ONCE)
    wrong.push(...(await Promise.all(questions.slice(at, at + AT_ONCE).map((one) => twins.difference(one)))));
  return wrong.filter((one) => one !== '');
}

async function casesOf({ ready }: Twins): Promise<readonly Question[]> {
  const documents = (await Promise.all(ready.pack.cases.map((path) => readDocuments(path)))).flat();
  return documents.flatMap(({ value }, index) => {
    const object = value['object'];
    const name = `case-${index}`;
    if (!isJsonObject(object) || KINDS[textAt(object, 'kind')] === undefined) return [];
    const named = (one: JsonObject) => ({ ...one, metadata: { ...objectAt(one, 'metadata'), name } });
    const before = value['oldObject'];
    const parameters = { ...objectAt(value, 'parameters') };
    const question = { name: textAt(value, 'name'), parameters, object: named(object) };
    return [isJsonObject(before) ? { ...question, oldObject: named(before) } : question];
  });
}

/** That both have answered every question, but for those that are named as ones the API server has for nobody. */
function allCompared(
  t: ExecutionContext,
  twins: Twins,
  { questions, invalid }: { readonly questions: readonly Question[]; readonly invalid: readonly string[] },
): void {
  t.deepEqual(twins.invalid.toSorted(), invalid.toSorted());
  t.is(twins.compared, questions.length - invalid.length);
}

/** Cases of packs whose objects the API server refuses as invalid: they are for servers that do not. */
const INVALID: Readonly<Record<string, readonly string[]>> = {
  baseline: ['host-process: a process of a Windows node is refused', 'proc-mount: Unmasked is refused'],
};

const floored = readShippedPacks(ROOT).filter(({ floor }) => floor !== undefined);

test('there are packs with a floor, and every twin is of a rule that there is', (t) => {
  t.true(floored.some(({ name }) => name === 'baseline'));
  for (const { name, floor, rules } of floored) {
    t.true(existsSync(join(ROOT, PACKS_FOLDER, name, 'floor.yaml')));
    const titles = new Set(rules.map(({ title }) => title));
    const twins = listAt(floor as JsonObject, 'rules').map((one) => textAt(one as JsonObject, 'rule'));
    t.deepEqual(
      twins.filter((one) => !titles.has(one)),
      [],
      name,
    );
  }
});

for (const { name } of floored) {
  test(`${name}: in every case the floor and the Rego say the same`, async (t) => {
    t.timeout(3 * 60_000);
    const twins = await open(name);
    const questions = await casesOf(twins);
    for (const { object } of questions) await twins.prepare(object);
    t.true(questions.length > 0);
    t.deepEqual(await differences(twins, questions), []);
    allCompared(t, twins, { questions, invalid: INVALID[name] ?? [] });
  });
}

test('baseline: on every variant of a pod, of both levels, the floor and the Rego say the same', async (t) => {
  t.timeout(5 * 60_000);
  const twins = await open('baseline');
  const questions = podVariants().flatMap(({ name, spec, annotations }) =>
    ['baseline', 'restricted'].map((level) => ({
      name: `${name}, ${level}`,
      parameters: { level },
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', annotations }, spec },
    })),
  );
  t.deepEqual(await differences(twins, questions), []);
  allCompared(t, twins, { questions, invalid: [] });
});

const TEMPLATE = {
  metadata: { labels: { app: 'twin' } },
  spec: {
    restartPolicy: 'Always',
    containers: [{ name: 'main', image: 'a:1', securityContext: { privileged: true } }],
  },
} as const;

function deployment(spec: object, containers: object = TEMPLATE.spec): JsonObject {
  const selector = { matchLabels: { app: 'twin' } };
  const template = { ...TEMPLATE, spec: containers };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'twin' },
    spec: { selector, template, replicas: 0, ...spec },
  };
}

test('baseline: in every kind, and of changes of what is there', async (t) => {
  t.timeout(2 * 60_000);
  const twins = await open('baseline');
  const job = { template: { ...TEMPLATE, spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } } };
  const parameters = { level: 'baseline' };
  const named = { metadata: { name: 'kind' } };
  const questions: readonly Question[] = [
    {
      name: 'CronJob',
      object: {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        ...named,
        spec: { schedule: '* * * * *', jobTemplate: { spec: job } },
      },
    },
    { name: 'PodTemplate', object: { apiVersion: 'v1', kind: 'PodTemplate', ...named, template: TEMPLATE } },
    {
      name: 'ReplicationController',
      object: {
        apiVersion: 'v1',
        kind: 'ReplicationController',
        ...named,
        spec: { selector: { app: 'twin' }, template: TEMPLATE },
      },
    },
    { name: 'Deployment', object: deployment({}) },
    { name: 'Deployment, scaled', object: deployment({ replicas: 1 }), oldObject: deployment({}) },
    {
      name: 'Deployment, placed elsewhere',
      object: deployment({}, { ...TEMPLATE.spec, nodeSelector: { pool: 'a' } }),
      oldObject: deployment({}),
    },
    {
      name: 'Deployment, opened further',
      object: deployment({}, { ...TEMPLATE.spec, hostPID: true }),
      oldObject: deployment({}),
    },
  ].map((one) => ({ ...one, parameters }));
  // One after the other: those that change are of one name.
  const wrong: string[] = [];
  for (const one of questions) wrong.push(await twins.difference(one));
  t.deepEqual(
    wrong.filter((one) => one !== ''),
    [],
  );
  allCompared(t, twins, { questions, invalid: [] });
});
