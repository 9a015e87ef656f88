// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission } from '../admission-world.ts';
import { type Answered, LiveTraffic, service } from '../live-traffic.ts';
import { BAD_VERSIONS, type BadVersion } from '../policy-plays.ts';

interface PackStatus {
  readonly phase?: string;
  readonly activeRevision?: string;
  readonly candidateRevision?: string;
  readonly stage?: { readonly name: string };
  readonly report?: { readonly digest: string; readonly newlyDenied: number; readonly newlyAllowed: number };
  readonly rejected?: readonly string[];
  readonly replicas?: { readonly enforcing: number };
  readonly history?: readonly {
    readonly revision: string;
    readonly outcome: string;
    readonly reason?: string;
  }[];
}

interface World extends AdmissionWorld {
  readonly traffic: LiveTraffic;
}

const test = anyTest.serial as TestFn<World>;
const PAGE = join(import.meta.dirname, '../../docs/how-to/roll-out-a-policy.md');
const TENANTS = ['shown-a', 'shown-b', 'shown-c', 'shown-d'];
const REPLICAS = 3;
const PACK = ['-n', PLATFORM_NAMESPACE, 'policypack/live'];

test.before(async (t) => {
  const world = await startAdmission({ replicas: REPLICAS, isProven: true });
  t.context = world as World;
  const traffic = await LiveTraffic.start(world.cluster, { admin: world.user, tenants: TENANTS, tagged: 2 });
  t.context = { ...world, traffic };
  await forbidden(t, 'yes');
});
test.after.always(async ({ context }) => {
  await context.traffic?.stop();
  await context.close?.();
});

/** Two objects that were there before they were forbidden; or that are put right. */
async function forbidden({ context: { user } }: ExecutionContext<World>, value: 'yes' | 'no'): Promise<void> {
  for (const tenant of TENANTS.slice(0, 2))
    await user.applies(service({ tenant, name: 'old' }, { labels: { forbidden: value } }));
}

const RIGHT = `deny contains sprintf("%s is forbidden", [input.review.name]) if input.review.object.metadata.labels.forbidden == "yes"`;

function pack(
  version: string,
  { rego = '', instead = RIGHT, rules, rollout, evaluation }: Partial<BadVersion> = {},
) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name: 'live', namespace: PLATFORM_NAMESPACE },
    spec: {
      version,
      source: { inline: { modules: { 'live.rego': `package live\n\n${instead}\n\n${rego}\n` } } },
      binding: { rules: rules ?? [{ apiGroups: [''], resources: ['services'] }] },
      rollout: { shadowSeconds: 0, ...rollout },
      ...(evaluation !== undefined && { evaluation }),
    },
  };
}

/** As an administrator does it: with kubectl. */
async function applies({ context: { user } }: ExecutionContext<World>, manifest: object): Promise<void> {
  await user.does(['apply', '-f', '-'], JSON.stringify(manifest));
}

async function seen({ context: { user } }: ExecutionContext<World>): Promise<PackStatus> {
  return (await user.sees<{ readonly status?: PackStatus }>(...PACK))?.status ?? {};
}

/** The status, once Ready says one of `reasons`. */
async function says(t: ExecutionContext<World>, ...reasons: readonly string[]) {
  await eventually(`Ready says ${reasons.join(' or ')}`, async () => {
    const ready = await t.context.user.condition('Ready', ...PACK);
    if (!reasons.includes(ready?.reason ?? '')) throw new Error(JSON.stringify([ready, await seen(t)]));
    return true;
  });
  return seen(t);
}

/** Answers that nobody should have got: what is plain passes, and what is forbidden is refused by one version, in its words. */
function wrong(answers: readonly Answered[]): readonly string[] {
  return answers
    .filter((one) => !isRight(one))
    .map(({ purpose, status, message }) => `${purpose}: ${status} ${message}`);
}

function isRight({ purpose, status, message }: Answered): boolean {
  if (purpose !== 'forbidden') return status === 200;
  return status === 403 && versionsIn(message).length === 1;
}

function versionsIn(message: string): readonly string[] {
  const found = message.matchAll(/policy_blocked: nexusos-system\/live (\S+), rule live: .*? is forbidden/g);
  return [...new Set([...found].map(([, version = '']) => version))];
}

test('an administrator applies a pack, reads what it would do, says so, and it comes to decide by itself', async (t) => {
  t.timeout(4 * 60_000);
  const { user, traffic } = t.context;
  const steps = [
    { percent: 50, soakSeconds: 1, minSamples: 40 },
    { percent: 100, soakSeconds: 1, minSamples: 40 },
  ];
  const rollout = { shadowSeconds: 2, steps, maxNewlyDeniedPercent: 1 };
  await applies(t, pack('1.0.0', { rollout }));
  const waiting = await says(t, 'AwaitingAcknowledgement');
  t.like(waiting.report, { newlyDenied: 2, newlyAllowed: 0 });
  t.is(waiting.candidateRevision, undefined, 'nobody is judged by it yet');
  t.deepEqual(wrong(traffic.answers), [], 'nor refused anything');
  const digest = await user.does(['get', ...PACK, '-o', 'jsonpath={.status.report.digest}']);
  await user.does([
    'patch',
    ...PACK,
    '--type=merge',
    '-p',
    JSON.stringify({ spec: { rollout: { acknowledge: digest } } }),
  ]);
  const stages: string[] = [];
  await eventually('it decides', async () => {
    const { phase = '', stage } = await seen(t);
    const name = stage?.name ?? phase;
    if (stages.at(-1) !== name) stages.push(name);
    return phase === 'Active';
  });
  t.deepEqual(stages.slice(stages.indexOf('Shadow')), ['Shadow', 'Cohort 50 %', 'Cohort 100 %', 'Active']);
  traffic.isForbidden = true;
  await user.does(['wait', '--for=condition=Ready', ...PACK, '--timeout=60s']);
  const from = performance.now();
  await traffic.goesOn();
  t.deepEqual(wrong(traffic.since(from)), []);
});

test('what the page says of bad versions is what is tried here', (t) => {
  const rows = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  const from = rows.findIndex(([, first]) => first === 'a version that') + 2;
  t.deepEqual(
    rows.slice(from).map(([, title, stage, reason]) => [title, stage, reason]),
    Object.entries(BAD_VERSIONS).map(([title, { stage, reason }]) => [title, stage, reason]),
  );
});

/** How a version has to be rolled out to come to where it does harm, and stay there. */
const ROLLOUTS: Readonly<Record<BadVersion['stage'], object>> = {
  Source: {},
  Report: {},
  Shadow: { shadowSeconds: 600 },
  Cohort: { steps: [{ percent: 50, soakSeconds: 600 }] },
  Active: {},
};

for (const [index, [title, bad]] of Object.entries(BAD_VERSIONS).entries()) {
  test(`caught: a version that ${title}`, async (t) => {
    t.timeout(4 * 60_000);
    const { traffic } = t.context;
    // What is refused in the report is there from the beginning; what only requests show must not be.
    if (bad.stage === 'Shadow') await forbidden(t, 'no');
    const { activeRevision: active } = await seen(t);
    const from = performance.now();
    await applies(t, pack(`2.${index}.0`, { ...bad, rollout: { ...ROLLOUTS[bad.stage], ...bad.rollout } }));
    if (isOfRequests(bad)) await isUndone(t, bad);
    else await isStopped(t, bad);
    const later = await seen(t);
    t.is(later.activeRevision, active, 'what decided before decides');
    t.is(later.candidateRevision, undefined);
    await eventually(
      'all replicas decide by that alone',
      async () => (await seen(t)).replicas?.enforcing === REPLICAS,
    );
    const since = performance.now();
    await traffic.goesOn();
    t.deepEqual(wrong(traffic.since(since)), []);
    // Only who is judged by it already is ever refused by it; and for what it gives no answer to, what is active judges.
    const isEffective = bad.stage === 'Cohort' || bad.stage === 'Active';
    if (!isEffective || bad.givesNoAnswer === true) t.deepEqual(wrong(traffic.since(from)), []);
  });
}

/** Whether only requests show it. */
function isOfRequests({ stage }: BadVersion): boolean {
  return stage !== 'Source' && stage !== 'Report';
}

/** It decides nothing, and waits for a better one. */
async function isStopped(t: ExecutionContext<World>, { stage, reason }: BadVersion): Promise<void> {
  const { stage: at } = await says(t, reason);
  t.is(stage === 'Report' ? at?.name : undefined, stage === 'Report' ? 'Acknowledgement' : undefined);
}

/** Where it does harm only to requests of another kind, these begin when it has come so far. It is undone by nobody. */
async function isUndone(
  t: ExecutionContext<World>,
  { stage, reason, isOdd = false, isOwn = false }: BadVersion,
): Promise<void> {
  const { traffic } = t.context;
  if (isOdd || isOwn) await hasComeTo(t, stage);
  Object.assign(traffic, { isOdd, isOwn });
  const beganAt = performance.now();
  try {
    const { history = [] } = await says(t, ...reason.split(' or '));
    t.log(`undone after ${Math.round(performance.now() - beganAt)} ms`);
    t.true(['RolledBack', 'Quarantined'].includes(history[0]?.outcome ?? ''));
    t.true(reason.split(' or ').includes(history[0]?.reason ?? ''));
  } finally {
    Object.assign(traffic, { isOdd: false, isOwn: false });
  }
}

async function hasComeTo(t: ExecutionContext<World>, stage: BadVersion['stage']): Promise<void> {
  const { activeRevision: before } = await seen(t);
  await eventually(`it is in ${stage}`, async () => {
    const { phase, stage: at, activeRevision } = await seen(t);
    if (stage === 'Active') return phase === stage && activeRevision !== before;
    return phase === stage && at?.name.startsWith(stage) === true;
  });
}

test('and the next one that is right comes to decide', async (t) => {
  await applies(t, pack('3.0.0'));
  await says(t, 'Enforced');
  await eventually('it decides', async () => {
    const from = performance.now();
    await t.context.traffic.goesOn(10);
    const versions = t.context.traffic.since(from).flatMap(({ message }) => versionsIn(message));
    return versions.length > 0 && versions.every((one) => one === '3.0.0');
  });
  t.deepEqual((await seen(t)).rejected?.length, Object.values(BAD_VERSIONS).filter(isOfRequests).length);
});
