// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission, tenant } from '../admission-world.ts';
import { SteadyLoad } from '../steady-load.ts';

const test = anyTest as TestFn<AdmissionWorld>;

/** A certificate of ours is valid for so long here; in a cluster for a quarter. Of that an API server has a sixth to learn what to trust. */
const SECONDS = 24;
const WIDTH = 4;
/** As the chart has it: how long the API server waits for an answer. */
const TIMEOUT_MS = 3000;
/** A replica that is not ready any more is out of the Service after two probes of a second each, the second of which may wait for its answer. */
const NOTICED_MS = 4000;

test.before(async (t) => {
  t.context = await startAdmission({ values: { certificates: { seconds: SECONDS } } });
});
test.after.always(({ context }) => context.close?.());

function loadOn({ cluster }: AdmissionWorld): SteadyLoad {
  const path = '/apis/nexusos.dev/v1alpha1/tenants?dryRun=All';
  return new SteadyLoad(cluster, { path, object: tenant('steady'), width: WIDTH });
}

function longestMs({ sent }: SteadyLoad): number {
  return Math.max(...sent.map(({ tookMs }) => tookMs));
}

/** What a request takes beside the waiting: on a machine that others keep busy, many times what it does on a quiet one. */
function slackMs({ sent }: SteadyLoad): number {
  const usual = sent.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)[Math.floor(sent.length / 2)] ?? 0;
  return Math.max(1000, 20 * usual);
}

/** How many other certificates each process has served after its first, as far as its log tells. */
function replacements({ webhooks }: AdmissionWorld): readonly number[] {
  return webhooks.processes.map(({ process }) => {
    const served = process.log
      .tail(200)
      .matchAll(/"serialNumber":"(\w+)","msg":"serving another certificate"/g);
    return new Set([...served].map(([, serial]) => serial)).size;
  });
}

test.serial('while certificates are renewed, again and again, no request is refused', async (t) => {
  const load = loadOn(t.context);
  await eventually('each replica has served four certificates', () =>
    replacements(t.context).every((count) => count >= 3),
  );
  await load.stop();
  t.deepEqual(
    load.failures().map(({ text }) => text),
    [],
  );
  t.true(load.sent.length > 100, `${load.sent.length} requests`);
});

test.serial('a replica that ends in order takes no request with it', async (t) => {
  const { webhooks } = t.context;
  const load = loadOn(t.context);
  const [first] = webhooks.processes;
  await eventually('some were let in', () => load.sent.length > 50);
  await first!.process.stop();
  const before = load.sent.length;
  await eventually('the others go on', () => load.sent.length > before + 50);
  await webhooks.start();
  await load.stop();
  t.deepEqual(
    load.failures().map(({ text }) => text),
    [],
  );
});

test.serial('of a replica that is killed only what it had in hand is refused, with a word why', async (t) => {
  const { webhooks } = t.context;
  const load = loadOn(t.context);
  await eventually('some were let in', () => load.sent.length > 50);
  const killedAt = performance.now();
  await webhooks.processes.at(-1)!.process.kill();
  await eventually('it was noticed', () => performance.now() > killedAt + NOTICED_MS);
  const before = load.sent.length;
  await eventually('the others go on', () => load.sent.length > before + 50);
  await load.stop();
  t.deepEqual(load.failures(killedAt + NOTICED_MS), []);
  for (const { text } of load.failures()) t.regex(text, /failed calling webhook/);
  t.true(longestMs(load) < TIMEOUT_MS + slackMs(load));
  await webhooks.start();
});

test.serial(
  'of a replica that is frozen nobody waits longer than the API server does, and soon nobody asks it',
  async (t) => {
    const { webhooks } = t.context;
    const load = loadOn(t.context);
    await eventually('some were let in', () => load.sent.length > 50);
    const frozenAt = performance.now();
    const frozen = webhooks.processes.at(-1)!.process;
    process.kill(frozen.pid, 'SIGSTOP');
    try {
      const goneAt = frozenAt + NOTICED_MS + TIMEOUT_MS;
      await eventually('it was noticed', () => performance.now() > goneAt);
      const before = load.sent.length;
      await eventually('the others go on', () => load.sent.length > before + 50);
      t.deepEqual(load.failures(goneAt), []);
      t.true(longestMs(load) < TIMEOUT_MS + slackMs(load));
    } finally {
      process.kill(frozen.pid, 'SIGCONT');
    }
    const thawedAt = performance.now();
    await eventually('it answers again', () => frozen.isReady());
    const before = load.sent.length;
    await eventually('all go on', () => load.sent.length > before + 50);
    await load.stop();
    t.deepEqual(load.failures(thawedAt + NOTICED_MS), []);
  },
);

/** Arguments of kubectl that make something small. */
function map(namespace: string): readonly string[] {
  return ['-n', namespace, 'create', 'configmap', 'note', '--from-literal=a=b'];
}

/** A pod that Pod Security lets pass everywhere. */
function plainPod(name: string, namespace: string) {
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        { name: 'c', image: 'registry.example.com/x:1', imagePullPolicy: 'Always', securityContext },
      ],
    },
  };
}

test.serial(
  'where all are dead, what is judged is refused with a word why, and all else goes on',
  async (t) => {
    const { webhooks, user, cluster } = t.context;
    await user.applies(tenant('orphaned'));
    await user.awaitsReady('tenant/orphaned');
    for (const { process } of webhooks.processes) if (!process.hasEnded) await process.kill();

    const refused = await user.tries(['apply', '-f', '-'], JSON.stringify(tenant('nobody')));
    t.false(refused.ok);
    t.regex(refused.text, /failed calling webhook "kinds\.nexusos\.dev"/);
    t.regex(
      (await user.tries(map('orphaned-main'))).text,
      /failed calling webhook "workloads\.nexusos\.dev"/,
    );

    const pod = await user.tries(['apply', '-f', '-'], JSON.stringify(plainPod('unjudged', 'orphaned-main')));
    t.false(pod.ok);
    t.regex(pod.text, /failed calling webhook "workloads\.nexusos\.dev"/);
    t.is((await user.does(['-n', 'orphaned-main', 'get', 'pods', '-o', 'name'])).trim(), '');
    await user.applies(plainPod('system', 'kube-system'));

    for (const namespace of ['default', 'kube-system']) {
      t.regex(await user.does(map(namespace)), /created/, namespace);
    }
    await user.does(['-n', 'default', 'create', 'deployment', 'free', '--image=registry.example.com/x:1']);
    await eventually('its pod runs', async () =>
      /Running/.test(await user.does(['get', 'pods', '-l', 'app=free'])),
    );

    // The operator puts right what somebody has taken away, and can let a tenant go.
    await user.does(['-n', 'orphaned-main', 'delete', 'networkpolicy', '--all']);
    await eventually('the borders are back', async () =>
      /nexusos/.test(await user.does(['-n', 'orphaned-main', 'get', 'networkpolicy'])),
    );
    t.is((await cluster.kubectl(['-n', 'kube-system', 'get', 'configmap', 'note'])).code, 0);

    const glass = ['--as=anna', '--as-group=system:masters', '--as-group=nexusos:break-glass'];
    t.regex(await user.does([...map('orphaned-main'), ...glass]), /created/);

    await webhooks.start();
    await eventually(
      'it is judged again',
      async () => (await user.tries(['apply', '-f', '-'], JSON.stringify(tenant('nobody')))).ok,
    );
  },
);
