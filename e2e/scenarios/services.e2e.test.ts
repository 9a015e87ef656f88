// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { apiUser } from '../api-user.ts';
import { agent, run, waits, type World, world } from '../run-world.ts';
import { tenantManifest } from '../user.ts';

interface Deployment {
  readonly metadata: { readonly uid: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly replicas: number };
  readonly status?: { readonly availableReplicas?: number };
}

interface Standing {
  readonly status?: {
    readonly activeRevision?: { readonly name: string; readonly number: number };
    readonly service?: {
      readonly address: string;
      readonly desiredReplicas: number;
      readonly readyReplicas: number;
      readonly revision?: string;
    };
  };
}

interface List {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
    readonly spec: { readonly containers: readonly { readonly image: string }[] };
  }[];
}

const OF_SERVICE = 'nexusos.dev/service=worker';

/** A service with pods of the image of that number. */
function version(number: number, service: object) {
  const resources = { requests: { cpu: '100m', memory: '64Mi' } };
  return { shape: 'service', service, container: { image: `registry.example/worker:${number}`, resources } };
}

async function becomesReady({ user, namespace }: World): Promise<void> {
  await user.awaitsReady('-n', namespace, 'agent/worker');
}

async function changeTo(place: World, spec: object): Promise<void> {
  await place.user.applies(agent(place.namespace, spec));
}

function standing({ user, namespace }: World): Promise<Standing['status']> {
  return user.sees<Standing>('-n', namespace, 'agent/worker').then((one) => one?.status);
}

function deployment({ user, namespace }: World): Promise<Deployment | undefined> {
  return user.sees<Deployment>('-n', namespace, 'deployment/worker');
}

async function availablePods(place: World): Promise<number> {
  return (await deployment(place))?.status?.availableReplicas ?? 0;
}

async function isRolledOut(place: World): Promise<boolean> {
  const { user, namespace } = place;
  const ready = await user.condition('Ready', '-n', namespace, 'agent/worker');
  const now = await standing(place);
  return ready?.status === 'True' && now?.service?.revision === now?.activeRevision?.name;
}

async function scaleOf(place: World): Promise<number | undefined> {
  return (await deployment(place))?.spec.replicas;
}

async function pods({ user, namespace }: World): Promise<List['items']> {
  const list = await user.sees<List>('-n', namespace, '-l', OF_SERVICE, 'pods');
  return (list?.items ?? []).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function says({ user, namespace }: World, reason: string): Promise<string> {
  const found = await eventually(`the service says ${reason}`, async () => {
    const ready = await user.condition('Ready', '-n', namespace, 'agent/worker');
    if (ready?.reason !== reason) throw new Error(JSON.stringify(ready));
    return ready;
  });
  return found.message;
}

const KINDS = ['deployment', 'service', 'poddisruptionbudget', 'horizontalpodautoscaler'] as const;

async function existing({ user, namespace }: World): Promise<readonly string[]> {
  const found = await Promise.all(
    KINDS.map(async (kind) =>
      (await user.sees('-n', namespace, `${kind}/worker`)) === undefined ? [] : [kind],
    ),
  );
  return found.flat();
}

/** What of the tenant's pods is ready behind the address, by the API server's own list. */
async function endpoints({ user, namespace }: World): Promise<number> {
  type Slices = {
    readonly items: readonly {
      readonly endpoints?: readonly { readonly conditions: { readonly ready?: boolean } }[];
    }[];
  };
  const list = await user.sees<Slices>(
    '-n',
    namespace,
    '-l',
    'kubernetes.io/service-name=worker',
    'endpointslices',
  );
  const all = (list?.items ?? []).flatMap((one) => one.endpoints ?? []);
  return all.filter(({ conditions }) => conditions.ready === true).length;
}

test('a service stands, is rolled out without a moment too few, is scaled, and goes with its Agent', async (t) => {
  const rollout = { maxUnavailable: 0, maxSurge: 1 };
  const place = await world(t, 'stander', { worker: version(1, { replicas: { min: 2 }, rollout }) });
  const { user, namespace } = place;
  t.like((await standing(place))?.service, {
    address: 'http://worker.stander-main.svc:8080',
    desiredReplicas: 2,
    readyReplicas: 2,
  });
  t.deepEqual(await existing(place), ['deployment', 'service', 'poddisruptionbudget']);
  await eventually('both pods are behind the address', async () => (await endpoints(place)) === 2);
  const { uid } = (await deployment(place))?.metadata ?? {};

  await changeTo(place, version(2, { replicas: { min: 2 }, rollout }));
  const available: number[] = [];
  await eventually('the new revision is rolled out', async () => {
    available.push(await availablePods(place));
    return isRolledOut(place);
  });
  t.true(Math.min(...available) >= 2, `available meanwhile: ${available.join(' ')}`);
  t.is((await standing(place))?.activeRevision?.number, 2);
  await eventually('only pods of the new image are left', async () => {
    const images = (await pods(place)).map(({ spec }) => spec.containers[0]?.image);
    return images.length === 2 && images.every((image) => image === 'registry.example/worker:2');
  });

  await changeTo(place, version(2, { replicas: { min: 4 }, rollout }));
  await becomesReady(place);
  t.is((await pods(place)).length, 4);
  t.is((await standing(place))?.activeRevision?.number, 2, 'more pods are no other revision');

  const scaled = { replicas: { min: 2, max: 9 }, autoscaling: { cpuUtilizationPercent: 70 }, rollout };
  await changeTo(place, version(2, scaled));
  await becomesReady(place);
  type Autoscaler = { readonly spec: { readonly minReplicas: number; readonly maxReplicas: number } };
  const autoscaler = await user.sees<Autoscaler>('-n', namespace, 'horizontalpodautoscaler/worker');
  t.like(autoscaler?.spec, { minReplicas: 2, maxReplicas: 9 });
  t.is(await scaleOf(place), 4, 'its pods stay until the autoscaler says otherwise');
  // As the autoscaler does it, which has nothing to measure by here.
  await user.does(['scale', 'deployment/worker', '-n', namespace, '--replicas=5']);
  await eventually(
    'what it was scaled to stands',
    async () => (await standing(place))?.service?.readyReplicas === 5,
  );
  await changeTo(place, version(3, scaled));
  await becomesReady(place);
  t.is(await scaleOf(place), 5, 'also over the next revision');

  await changeTo(place, version(3, { replicas: { min: 1 }, rollout }));
  await becomesReady(place);
  await eventually(
    'the autoscaler is gone',
    async () => !(await existing(place)).includes('horizontalpodautoscaler'),
  );
  t.is(await scaleOf(place), 1);
  t.is((await deployment(place))?.metadata.uid, uid, 'it was the same Deployment all the time');

  await user.does(['delete', 'agent/worker', '-n', namespace]);
  await eventually('all that stood is gone', async () => {
    return (await existing(place)).length === 0 && (await pods(place)).length === 0;
  });
});

test('a quota that is too small is named, and the service heals when it is raised', async (t) => {
  const place = await world(t, 'cramped', {
    tenant: { quotas: { objects: { pods: 3 } } },
    worker: version(1, { replicas: { min: 2 } }),
  });
  await changeTo(place, version(1, { replicas: { min: 5 } }));
  const message = await says(place, 'QuotaExceeded');
  t.regex(message, /spec\.quotas of the Tenant.*a pod takes pods=1, used are pods=3, allowed are pods=3/);
  t.is((await place.user.condition('Available', '-n', place.namespace, 'agent/worker'))?.status, 'False');
  await place.user.applies(tenantManifest('cramped', { quotas: { objects: { pods: 9 } } }));
  await becomesReady(place);
  t.is((await pods(place)).length, 5);
});

test('quota moves to where a service is, before its pods ask', async (t) => {
  const place = await world(t, 'follower', {
    tenant: { namespaces: [{ suffix: 'main' }, { suffix: 'other' }], quotas: { objects: { pods: 8 } } },
    worker: version(1, { replicas: { min: 8 }, rollout: { maxUnavailable: 1, maxSurge: 0 } }),
  });
  t.is((await pods(place)).length, 8);
});

test('a suspended tenant has no pods, and gets them back', async (t) => {
  const place = await world(t, 'sleeper', { worker: version(1, { replicas: { min: 2 } }) });
  await place.user.applies(tenantManifest('sleeper', { suspended: true }));
  await says(place, 'TenantSuspended');
  await eventually('its pods are gone', async () => (await pods(place)).length === 0);
  t.is(await scaleOf(place), 0);
  t.true((await existing(place)).includes('service'), 'its address stays');
  await place.user.applies(tenantManifest('sleeper', { suspended: false }));
  await becomesReady(place);
  t.is((await pods(place)).length, 2);
});

test('what bears its name already is left alone, and told', async (t) => {
  const place = await world(t, 'squatter');
  const { user, namespace } = place;
  const metadata = { name: 'chat', namespace, labels: { app: 'mine' } };
  const theirs = { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } };
  await user.applies(theirs);
  const chat = { ...agent(namespace, version(1, {})), metadata: { name: 'chat', namespace } };
  await user.applies(chat);
  const told = await eventually('the Agent says so', async () => {
    const ready = await user.condition('Ready', '-n', namespace, 'agent/chat');
    return ready?.reason === 'NameTaken' ? ready : undefined;
  });
  t.regex(told.message, /^Service of the name of the Agent exists already.*Delete or rename it/);
  type Service = {
    readonly metadata: { readonly labels: object };
    readonly spec: { readonly ports: readonly { readonly port: number }[] };
  };
  const left = await user.sees<Service>('-n', namespace, 'service/chat');
  t.deepEqual(left?.metadata.labels, { app: 'mine' });
  t.is(left?.spec.ports[0]?.port, 80);
  t.is(await user.sees('-n', namespace, 'deployment/chat'), undefined, 'and nothing is made by halves');
  await user.does(['delete', 'service/chat', '-n', namespace]);
  await user.awaitsReady('-n', namespace, 'agent/chat');
});

test('owners read what stands, and start pods again; what they change goes by the Agent', async (t) => {
  const place = await world(t, 'keeper', { worker: version(1, {}) });
  const { namespace } = place;
  const owner = await apiUser(await attachSystem(), { user: 'keeper-admin' });
  t.teardown(() => owner.close());
  const apps = `/apis/apps/v1/namespaces/${namespace}/deployments/worker`;
  await eventually('the owner reads it', async () => (await owner.send('GET', apps)).status === 200);
  const paths = [
    apps,
    `/api/v1/namespaces/${namespace}/services/worker`,
    `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/worker`,
  ];
  for (const path of paths) {
    for (const [verb, body] of [
      ['PATCH', { metadata: { labels: { mine: 'yes' } } }],
      ['DELETE', undefined],
    ] as const) {
      const refused = await owner.send(verb, path, body);
      t.is(refused.status, 403, `${verb} ${path}`);
      t.regex(refused.message, /policy_blocked: .*nexusos/);
    }
  }
  const scale = await owner.send('PATCH', `${apps}/scale`, { spec: { replicas: 7 } });
  t.is(scale.status, 403, scale.message);
  t.regex(
    scale.message,
    /spec\.replicas: found another number of pods of worker; allowed: spec\.service\.replicas/,
  );
  const mine = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'mine', namespace } };
  const labels = { app: 'mine' };
  const spec = {
    replicas: 0,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: MINE },
  };
  const made = await owner.send('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, {
    ...mine,
    spec,
  });
  t.is(made.status, 201, made.message);
  const own = `/apis/apps/v1/namespaces/${namespace}/deployments/mine/scale`;
  t.is((await owner.send('PATCH', own, { spec: { replicas: 1 } })).status, 200, 'their own are theirs');
  const [pod] = await pods(place);
  t.is(
    (await owner.send('DELETE', `/api/v1/namespaces/${namespace}/pods/${pod?.metadata.name}`)).status,
    200,
  );
  await eventually('another pod takes its place', async () => {
    const names = (await pods(place)).map(({ metadata }) => metadata.name);
    return names.length === 1 && names[0] !== pod?.metadata.name;
  });
});

const MINE = {
  containers: [
    {
      name: 'c',
      image: 'registry.example/mine:1',
      imagePullPolicy: 'Always',
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
  ],
};

test('a Run of a service fails and says where to ask; an Agent of another shape from now on has nothing left standing', async (t) => {
  const place = await world(t, 'turner', { worker: version(1, { port: 9000 }) });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'lost'));
  const message = await waits(place, 'lost', 'AgentIsService');
  t.regex(message, /spec\.agentRef\.name.*http:\/\/worker\.turner-main\.svc:9000/);
  type Failed = { readonly status?: { readonly phase?: string; readonly error?: object } };
  const lost = await user.sees<Failed>('-n', namespace, 'run/lost');
  t.like(lost?.status, { phase: 'Failed', error: { code: 'invalid_request', retryable: false } });

  const { shape: _, service: __, ...job } = version(1, {});
  await changeTo(place, { shape: 'job', ...job });
  await becomesReady(place);
  await eventually('nothing stands any more', async () => (await existing(place)).length === 0);
  t.is((await standing(place))?.service, undefined);
  await user.applies(run(namespace, 'found'));
  await waits(place, 'found', 'Succeeded');
});

const REFUSED: Readonly<Record<string, { readonly spec: object; readonly says: RegExp }>> = {
  'service without the shape': {
    spec: { shape: 'job', service: {} },
    says: /service: found with another shape; allowed with shape: service alone/,
  },
  gpu: {
    spec: { gpu: { class: 'h100' } },
    says: /gpu: found with shape service; allowed with shape job alone: devices are counted/,
  },
  schedule: { spec: { schedule: { cron: '@daily' } }, says: /schedule: found with shape service/ },
  parameters: { spec: { parameters: [] }, says: /parameters: found with shape service/ },
  'a timeout': {
    spec: { limits: { timeoutSeconds: 60 } },
    says: /limits\.timeoutSeconds: found with shape service/,
  },
  'a limit of Runs': { spec: { limits: { maxConcurrentRuns: 1 } }, says: /limits\.maxConcurrentRuns: found/ },
  'a tier': { spec: { tier: 'heavy' }, says: /tier: found another than standard/ },
  'a rollout that can never go on': {
    spec: { service: { rollout: { maxUnavailable: 0, maxSurge: '0%' } } },
    says: /maxUnavailable and maxSurge are both 0/,
  },
  'a percentage that is none': {
    spec: { service: { rollout: { maxSurge: '101%' } } },
    says: /spec\.service\.rollout\.maxSurge/,
  },
  'percentages of nothing, written at length': {
    spec: { service: { rollout: { maxUnavailable: '00%', maxSurge: '00%' } } },
    says: /spec\.service\.rollout\.maxUnavailable/,
  },
  'that its Runs are not ended': {
    spec: { preemptible: false },
    says: /preemptible: found false with shape service; allowed with shape job alone/,
  },
  'autoscaling by none of a metric': {
    spec: {
      service: {
        replicas: { max: 2 },
        autoscaling: { podMetric: { name: 'queue_length', averageValue: '0m' } },
      },
    },
    says: /podMetric\.averageValue: found 0; allowed is anything more/,
  },
  'autoscaling without an end': {
    spec: { service: { autoscaling: { cpuUtilizationPercent: 5 } } },
    says: /autoscaling and replicas\.max are given together/,
  },
  'autoscaling from nothing': {
    spec: { service: { replicas: { min: 0, max: 2 }, autoscaling: { cpuUtilizationPercent: 5 } } },
    says: /replicas\.min: found 0; with autoscaling it must be at least 1/,
  },
  'autoscaling by nothing': {
    spec: { service: { replicas: { max: 2 }, autoscaling: {} } },
    says: /found nothing to go by/,
  },
};

test('what a service cannot have is refused with the field, what was found and what would pass', async (t) => {
  const { user, namespace } = await world(t, 'fussy');
  const tries = (spec: object, name = 'chat') => {
    const chat = { ...agent(namespace, { ...version(1, {}), ...spec }), metadata: { name, namespace } };
    return user.tries(['create', '--dry-run=server', '-f', '-'], JSON.stringify(chat));
  };
  for (const [title, { spec, says: wanted }] of Object.entries(REFUSED)) {
    const said = await tries(spec);
    t.false(said.ok, title);
    t.regex(said.text, wanted, title);
  }
  const digit = await tries({}, '7up');
  t.regex(digit.text, /the name of an Agent of shape service starts with a letter/);
  const podMetric = { name: 'queue_length', averageValue: '100m' };
  const scaled = await tries({ service: { replicas: { max: 2 }, autoscaling: { podMetric } } });
  t.true(scaled.ok, scaled.text);
  const good = await tries({ limits: { terminationGracePeriodSeconds: 5 } });
  t.true(good.ok, good.text);
});
