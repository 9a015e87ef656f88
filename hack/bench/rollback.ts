// SPDX-License-Identifier: Apache-2.0
import { hasStatus } from '#operator/runtime/api-error';
import { installChart, PLATFORM_NAMESPACE } from '../system/chart.ts';
import { startOperator } from '../system/operator-process.ts';
import { RollbackDrill } from '../system/rollback-drill.ts';
import { probeService, versionsIn } from '../system/version-watch.ts';
import { WebhookSystem } from '../system/webhook-process.ts';
import { eventually } from '../tools/eventually.ts';
import type { BenchEnvironment } from './environment.ts';
import type { Figure } from './report.ts';
import { makeTenants, namespaceOf } from './run-world.ts';
import { percentile } from './statistics.ts';

const REPLICAS = 3;
const TENANTS = ['rolled-0', 'rolled-1', 'rolled-2', 'rolled-3'];
const PACK = `${PLATFORM_NAMESPACE}/drilled`;
const LATEST = '2.0.0';
const BAR_MS = 5000;
/** Versions that differ in their words are all that is compared. */
const ROLLOUT = { maxNewlyDeniedPercent: 100 };
/** Of tries by hand, so many are made by harm as well: each needs a version of its own. */
const SHARE_BY_HARM = 0.2;
const ODD = 'input.review.object.metadata.annotations.purpose == "odd"';

/** What a client was told. */
interface Told {
  readonly status: number;
  readonly text: string;
  readonly isOdd: boolean;
  readonly at: number;
}

/** A policy that is gone back on, by `spec.rollbackTo` and by the harm that it does, on three replicas under load. */
export async function measureRollback(
  environment: BenchEnvironment,
  tries: number,
): Promise<readonly Figure[]> {
  const { cluster } = environment;
  const webhooks = await WebhookSystem.open(cluster);
  await installChart(cluster, { values: { webhooks: webhooks.values } });
  const operator = await startOperator(cluster);
  const ends: (() => Promise<void>)[] = [() => operator.stop(), () => webhooks.stop()];
  try {
    for (let i = 0; i < REPLICAS; i += 1) await webhooks.start();
    await makeTenants(environment, TENANTS);
    const drill = new RollbackDrill(cluster, { webhooks, namespace: namespaceOf(TENANTS[0] ?? '') });
    ends.unshift(() => drill.watch.stop());
    for (const version of ['1.0.0', LATEST]) {
      await drill.applies(version, { rollout: ROLLOUT });
      await drill.decides(version);
    }
    const load = new Load(environment);
    ends.unshift(() => load.stop());
    await load.begin();
    const since = performance.now();
    const byHand: number[] = [];
    for (let i = 0; i < tries; i += 1) byHand.push(await drill.goesBack());
    const byHarm = await undoneByHarm(drill, load, Math.ceil(tries * SHARE_BY_HARM));
    const seconds = (performance.now() - since) / 1000;
    const told = load.told.filter(({ at }) => at >= since);
    return [
      ...times(
        `spec.rollbackTo to the last answer by the version before, any of ${REPLICAS} replicas`,
        byHand,
      ),
      ...times('first harm in a cohort to the last answer by what does it', byHarm),
      { name: 'answers of the API server meanwhile', value: told.length / seconds, unit: '/s' },
      {
        name: 'answers that were asked of replicas',
        value: drill.watch.answers.length / seconds,
        unit: '/s',
      },
      none(
        'answers of two versions, or of none',
        drill.watch.mixed(since).length + told.filter(isMixed).length,
      ),
      none('requests refused for another reason', told.filter(isUnruly).length),
    ];
  } finally {
    for (const end of ends) await end();
  }
}

function times(name: string, milliseconds: readonly number[]): readonly Figure[] {
  const unit = `ms of ${milliseconds.length}`;
  return [
    { name: `${name}: p50`, value: percentile(milliseconds, 0.5), unit },
    { name: '... p99', value: percentile(milliseconds, 0.99), unit, bar: { atMost: BAR_MS } },
    { name: '... the longest', value: percentile(milliseconds, 1), unit },
  ];
}

function none(name: string, value: number): Figure {
  return { name, value, unit: '', bar: { atMost: 0 } };
}

/** Of the probe, which all versions refuse: two findings of one version. */
function isMixed({ status, text }: Told): boolean {
  return status === 403 && versionsIn(text, PACK).length !== 1;
}

/** A probe that is not refused by the pack, or a plain change that is; what is odd may be refused, by the version that does harm. */
function isUnruly({ status, text, isOdd }: Told): boolean {
  const isOfPack = versionsIn(text, PACK).length > 0;
  return isOdd ? status !== 200 && !isOfPack : status !== 200 && !(status === 403 && isOfPack);
}

/** Versions that do harm to what only begins when they decide for nearly all; how long each does. */
async function undoneByHarm(drill: RollbackDrill, load: Load, tries: number): Promise<readonly number[]> {
  // Without a name to go back to, the version that the source says would come again.
  if (drill.versionOf((await drill.status()).activeRevision ?? '') !== LATEST) await drill.goesBack();
  await drill.letsGo();
  const milliseconds: number[] = [];
  for (let i = 0; i < tries; i += 1) {
    const { activeRevision = '' } = await drill.status();
    const version = `3.0.${i}`;
    const rego = `deny contains "odd" if ${ODD}`;
    await drill.applies(version, { rego, rollout: { steps: [{ percent: 99, soakSeconds: 600 }] } });
    await eventually('it decides for nearly all', async () => (await drill.status()).phase === 'Cohort');
    load.isOdd = true;
    const isOfIt = ({ text }: Told) => text.includes(version);
    const first = await eventually('it does harm', () => load.told.find((one) => one.isOdd && isOfIt(one)));
    await eventually('it is undone', async () => (await drill.status()).phase === 'RolledBack');
    load.isOdd = false;
    await drill.hasGoneOverTo(drill.versionOf(activeRevision));
    const last = Math.max(load.told.findLast(isOfIt)?.at ?? 0, drill.watch.last(version, first.at)?.at ?? 0);
    milliseconds.push(last - first.at);
  }
  return milliseconds;
}

/** Clients of all tenants that change what they have, and ask for what is refused. */
class Load {
  readonly told: Told[] = [];
  isOdd = false;
  readonly #environment: BenchEnvironment;
  #loops: readonly Promise<void>[] = [];
  #isStopped = false;

  constructor(environment: BenchEnvironment) {
    this.#environment = environment;
  }

  /** Makes what is changed, and begins. */
  async begin(): Promise<void> {
    for (const tenant of TENANTS) {
      const path = `/api/v1/namespaces/${namespaceOf(tenant)}/services`;
      const probe = probeService(namespaceOf(tenant));
      const body = { ...probe, metadata: { ...probe.metadata, name: 'kept' } };
      await this.#environment.client.raw({ verb: 'create', path, body });
    }
    this.#loops = TENANTS.map((tenant) => this.#loop(namespaceOf(tenant)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  async #loop(namespace: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/services`;
    for (let round = 0; !this.#isStopped; round += 1) {
      const isOdd = this.isOdd && round % 4 === 2;
      if (round % 2 === 1) {
        await this.#send(false, {
          verb: 'create',
          path,
          query: { dryRun: 'All' },
          body: probeService(namespace),
        });
        continue;
      }
      const body = { metadata: { annotations: { round: String(round), purpose: isOdd ? 'odd' : 'plain' } } };
      await this.#send(isOdd, {
        verb: 'patch',
        path: `${path}/kept`,
        contentType: 'application/merge-patch+json',
        body,
      });
    }
  }

  async #send(isOdd: boolean, asked: Parameters<BenchEnvironment['client']['raw']>[0]): Promise<void> {
    const answer = await this.#environment.client.raw(asked).then(
      () => ({ status: 200, text: '' }),
      (error: unknown) => ({ status: hasStatus(error, 403) ? 403 : 0, text: String(error) }),
    );
    this.told.push({ ...answer, isOdd, at: performance.now() });
  }
}
