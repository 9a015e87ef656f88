// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '#hack/tools/eventually';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '#operator/core/object';
import { NAMESPACES, SECRETS, TENANTS } from '#operator/core/resources';
import type { HeldWatch } from '#operator/runtime/cache';
import { createLog } from '#operator/telemetry/log';
import { MetricFactory } from '#operator/telemetry/metric';
import { admissionMetrics } from '../metrics.ts';
import { ALLOWED, type AdmissionRequest, type Answer, refused } from '../review.ts';
import { KeptFile } from './kept-file.ts';
import { LastKnown, type LastKnownOptions } from './last-known.ts';
import { manifestOf } from './manifest.ts';
import type { Uptime } from './uptime.ts';

const KEEPER = { program: '1.2.3', place: 'here' };
const MAX_AGE_MS = 3_600_000;
const NOW = new Date('2026-11-23T12:00:00Z');
const CERTIFICATE = object('Secret', 'nexusos-webhooks-tls');

function object(kind: string, name: string, labels: Readonly<Record<string, string>> = {}): KubeObject {
  return { apiVersion: 'v1', kind, metadata: { name, labels, uid: `uid-${name}` } };
}

const KEPT: readonly HeldWatch[] = [
  {
    watch: 'namespaces',
    kind: NAMESPACES.kind,
    objects: [
      object('Namespace', 'kube-system'),
      object('Namespace', 'acme-dev', { [LABELS.tenant]: 'acme' }),
    ],
  },
  { watch: 'tenants', kind: TENANTS.kind, objects: [object('Tenant', 'acme')] },
  { watch: 'secret', kind: SECRETS.kind, objects: [] },
];

/** Watches that are filled by hand, for want of an API server that can be reached or not as is wanted. */
class HandCache {
  isSynced = false;
  #recalled: readonly HeldWatch[] | undefined;
  told: readonly HeldWatch[] = [];
  isOfOthers = false;

  get recalled(): readonly HeldWatch[] | undefined {
    return this.#recalled;
  }

  recall(kept: readonly HeldWatch[]): void {
    if (this.isOfOthers) throw new Error('what is kept is of other watches');
    this.#recalled = kept;
  }

  release(): void {
    this.#recalled = undefined;
  }

  get({ kind }: { readonly kind: string }, { name }: { readonly name: string }): KubeObject | undefined {
    const held = this.#recalled ?? this.told;
    return held.find((one) => one.kind === kind)?.objects.find(({ metadata }) => metadata.name === name);
  }
}

interface World {
  readonly cache: HandCache;
  readonly folder: string;
  readonly lastKnown: LastKnown;
  /** The API server has told everything. */
  readonly tell: (told?: readonly HeldWatch[]) => Promise<void>;
  readonly begun: Promise<void>;
  readonly said: string[];
  /** How often it was asked whether the API server can be reached. */
  readonly asked: { readonly times: number };
}

interface Choice extends Partial<LastKnownOptions> {
  readonly ageMs?: number;
  /** What was noted of the machine beside the time. */
  readonly keptAt?: Uptime;
  readonly isOfOthers?: boolean;
}

async function begin(
  t: ExecutionContext,
  { ageMs = 1000, isOfOthers = false, keptAt, ...options }: Choice = {},
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-last-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = new KeptFile(folder);
  const body = await file.writeBody(KEPT);
  const seenAt = new Date(NOW.getTime() - ageMs).toISOString();
  await file.writeManifest(manifestOf(KEEPER, { cluster: 'uid-kube-system', seenAt, ...keptAt, ...body! }));
  const cache = new HandCache();
  cache.isOfOthers = isOfOthers;
  const said: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => said.push(line) } });
  const asked = { times: 0 };
  const { canReach = () => Promise.resolve(false) } = options;
  const lastKnown = new LastKnown({
    cache,
    file,
    self: () => Promise.resolve(KEEPER),
    maxAgeMs: MAX_AGE_MS,
    afterMs: 20,
    readCertificate: () => Promise.resolve(CERTIFICATE),
    onTakenOver: () => said.push('taken over'),
    now: () => NOW,
    elapsedMs: () => 0,
    uptime: () => undefined,
    metrics: admissionMetrics(new MetricFactory()),
    log,
    ...options,
    canReach: () => {
      asked.times += 1;
      return canReach();
    },
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  const tell = async (told: readonly HeldWatch[] = KEPT): Promise<void> => {
    cache.told = told;
    cache.isSynced = true;
    resolve();
    await new Promise((done) => setImmediate(done));
  };
  return { cache, folder, lastKnown, tell, begun: lastKnown.begin(promise), said, asked };
}

function podIn(namespace: string): AdmissionRequest {
  return {
    uid: 'u',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    name: 'x',
    namespace,
    operation: 'CREATE',
    userInfo: { username: 'jane', groups: [] },
    object: object('Pod', 'x'),
    oldObject: null,
    dryRun: false,
  };
}

const allows = () => Promise.resolve(ALLOWED);
const denies = (): Promise<Answer> => Promise.resolve(refused({ code: 'policy_blocked', message: 'no' }));

test('without an API server it decides by what was kept, with the certificate that the kubelet has', async (t) => {
  const { begun, cache, lastKnown } = await begin(t);
  t.false(lastKnown.isReady);
  await begun;
  t.true(lastKnown.isReady);
  t.deepEqual(
    cache.recalled?.map(({ kind, objects }) => [kind, objects.map(({ metadata }) => metadata.name)]),
    [
      [NAMESPACES.kind, ['kube-system', 'acme-dev']],
      [TENANTS.kind, ['acme']],
      [SECRETS.kind, ['nexusos-webhooks-tls']],
    ],
  );
  const allowed = await lastKnown.decide(podIn('acme-dev'), allows);
  t.true(allowed.allowed);
  t.is(allowed.auditAnnotations['last-known'], lastKnown.beganFrom);
  const denied = await lastKnown.decide(podIn('acme-dev'), denies);
  t.is(denied.refusals[0]?.code, 'policy_blocked');
});

test('what it cannot know is refused before anybody judges it, with a word why', async (t) => {
  const { begun, lastKnown } = await begin(t);
  await begun;
  const answer = await lastKnown.decide(podIn('new-dev'), () => Promise.reject(new Error('was judged')));
  t.false(answer.allowed);
  t.is(answer.refusals[0]?.code, 'dependency_unavailable');
  t.is(answer.refusals[0]?.retryAfterSeconds, 1);
  t.regex(
    answer.refusals[0]?.message ?? '',
    /cannot reach the API server, and decides by what it knew at \d{4}-.*Z: namespace new-dev is not among what was kept; try again/,
  );
});

test('what the API server tells is taken over at once and as a whole', async (t) => {
  const { begun, cache, lastKnown, tell, said } = await begin(t);
  await begun;
  await tell();
  t.is(cache.recalled, undefined);
  t.true(lastKnown.isReady);
  t.is(said.filter((one) => one === 'taken over').length, 1);
  t.is(lastKnown.ageSeconds, 0);
  const answer = await lastKnown.decide(podIn('new-dev'), allows);
  t.deepEqual(answer, ALLOWED);
  // How it began is told as long as it lives.
  t.regex(lastKnown.beganFrom ?? '', /Z$/);
});

test('what was begun by what was kept, and ends when more is known, is judged again by that alone', async (t) => {
  const { begun, lastKnown, tell } = await begin(t);
  await begun;
  const judged: string[] = [];
  const answer = await lastKnown.decide(podIn('acme-dev'), async () => {
    judged.push(lastKnown.ageSeconds > 0 ? 'kept' : 'told');
    if (judged.length === 1) await tell();
    return judged.length === 1 ? ALLOWED : denies();
  });
  t.deepEqual(judged, ['kept', 'told']);
  t.false(answer.allowed);
  t.deepEqual(answer.auditAnnotations, {});
});

test('one that gets too old while it is decided by is not decided by any more', async (t) => {
  let now = NOW;
  const { begun, lastKnown } = await begin(t, { now: () => now, ageMs: MAX_AGE_MS });
  await begun;
  t.true(lastKnown.isReady);
  now = new Date(NOW.getTime() + 1000);
  t.false(lastKnown.isReady);
  const answer = await lastKnown.decide(podIn('acme-dev'), allows);
  t.false(answer.allowed);
  t.regex(answer.refusals[0]?.message ?? '', /which is more than 3600 s ago/);
});

test('a clock that is set back makes nothing younger', async (t) => {
  let now = NOW;
  let elapsedMs = 50;
  const { begun, lastKnown } = await begin(t, {
    now: () => now,
    elapsedMs: () => elapsedMs,
    ageMs: MAX_AGE_MS - 1000,
  });
  await begun;
  now = new Date(NOW.getTime() - MAX_AGE_MS);
  t.is(lastKnown.ageSeconds, 3599);
  elapsedMs += 1000;
  t.true(lastKnown.isReady);
  elapsedMs += 1;
  t.false(lastKnown.isReady);
  t.false((await lastKnown.decide(podIn('acme-dev'), allows)).allowed);
});

test('a clock that is behind from the start makes nothing younger than the machine knows', async (t) => {
  let elapsedMs = 0;
  const { begun, lastKnown } = await begin(t, {
    ageMs: 1000,
    keptAt: { boot: 'one', upMs: 7_000 },
    uptime: () => ({ boot: 'one', upMs: 7_000 + MAX_AGE_MS }),
    elapsedMs: () => elapsedMs,
  });
  await begun;
  t.is(lastKnown.ageSeconds, MAX_AGE_MS / 1000);
  t.true(lastKnown.isReady);
  elapsedMs = 1;
  t.false(lastKnown.isReady);
});

/** Waits in vain for the API server, and then takes it. */
async function staysOut(t: ExecutionContext, world: World, passes = 3): Promise<void> {
  const { asked, begun, cache, lastKnown, tell } = world;
  await eventually('it has looked more than once', () => asked.times >= passes);
  t.is(cache.recalled, undefined);
  t.false(lastKnown.isReady);
  await tell();
  await begun;
  t.true(lastKnown.isReady);
  t.is(lastKnown.beganFrom, undefined);
}

const UNUSED: readonly (readonly [what: string, choice: Choice])[] = [
  ['while the API server gives answers', { canReach: () => Promise.resolve(true) }],
  ['that is too old', { ageMs: MAX_AGE_MS + 1000 }],
  [
    'that is too old by the machine, whatever the clock says',
    {
      keptAt: { boot: 'one', upMs: 7_000 },
      uptime: () => ({ boot: 'one', upMs: 7_001 + MAX_AGE_MS }),
    },
  ],
  ['of a time that is still to come', { ageMs: -61_000 }],
  ['by another version', { self: () => Promise.resolve({ ...KEEPER, program: '2' }) }],
  ['of another place', { self: () => Promise.resolve({ ...KEEPER, place: 'there' }) }],
  ['while it is not known where the API server is', { self: () => Promise.reject(new Error('no file')) }],
  ['without a certificate', { readCertificate: () => Promise.resolve('there is none') }],
  ['where nothing may be', { maxAgeMs: 0 }],
  ['of other watches', { isOfOthers: true }],
];

for (const [what, choice] of UNUSED) {
  test(`nothing that was kept is used ${what}`, async (t) => {
    await staysOut(t, await begin(t, choice), choice.maxAgeMs === 0 ? 0 : 3);
  });
}

test('nothing that is torn is used', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-torn-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = new KeptFile(folder);
  const body = await file.writeBody(KEPT);
  const seenAt = NOW.toISOString();
  await file.writeManifest(manifestOf(KEEPER, { cluster: 'uid-kube-system', seenAt, ...body! }));
  await writeFile(join(folder, body!.body), 'torn');
  await staysOut(t, await begin(t, { file }));
});

test('that it was another cluster is said once that can be told', async (t) => {
  const { begun, lastKnown, tell, said } = await begin(t);
  await begun;
  const other = { ...object('Namespace', 'kube-system') };
  await tell([
    {
      watch: 'namespaces',
      kind: NAMESPACES.kind,
      objects: [{ ...other, metadata: { ...other.metadata, uid: 'x' } }],
    },
  ]);
  t.true(
    said.some((line) => line.includes('is another cluster')),
    said.join('\n'),
  );
  t.true(lastKnown.isReady);
});
