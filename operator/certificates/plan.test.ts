// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { issuePair } from './issue.ts';
import type { KubeObject } from '../core/object.ts';
import { readBundle } from '../core/certificates/bundle.ts';
import {
  type CertificatesObserved,
  dueRenewal,
  hostsOf,
  planCertificates,
} from '../core/certificates/plan.ts';

const START = new Date('2026-11-22T12:00:00Z');
const SETTINGS = { namespace: 'platform', secretName: 'tls', validSeconds: 1200 };
const HOST = 'nexusos-webhooks.platform.svc';

const at = (seconds: number) => new Date(START.getTime() + seconds * 1000);

function configuration(kind: string, caBundle?: string): KubeObject {
  const service = { name: 'nexusos-webhooks', namespace: 'platform', path: '/validate' };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: 'nexusos-webhooks', uid: `uid-of-${kind}` },
    webhooks: ['a', 'b'].map((name) => ({ name, clientConfig: { service, ...(caBundle && { caBundle }) } })),
  };
}

/** An API server that takes what is applied, and whoever serves from what the Secret holds. */
class World {
  readonly settings: typeof SETTINGS;
  validating = configuration('ValidatingWebhookConfiguration');
  mutating = configuration('MutatingWebhookConfiguration');
  secret: KubeObject | undefined;
  writes = 0;

  constructor(settings: Partial<typeof SETTINGS> = {}) {
    this.settings = { ...SETTINGS, ...settings };
  }

  get observed(): Omit<CertificatesObserved, 'fresh'> {
    return { configurations: [this.validating, this.mutating], secret: this.secret };
  }

  /** One pass; only as many of its writes arrive as `writes` says. Returns when it wants to come again, in milliseconds. */
  async pass(now: Date, writes = Infinity): Promise<number> {
    const isDue = dueRenewal(this.observed, this.settings, now) !== undefined;
    const request = {
      hosts: hostsOf(this.observed.configurations),
      now,
      validSeconds: this.settings.validSeconds,
    };
    const fresh = isDue ? await issuePair(request) : undefined;
    const plan = planCertificates({ ...this.observed, fresh }, this.settings, now);
    for (const object of plan.apply.slice(0, writes)) this.apply(object);
    return plan.result.kind === 'requeueAfter' ? plan.result.afterMs : Number.NaN;
  }

  apply(object: KubeObject): void {
    if (object.kind === 'Secret') {
      const { resourceVersion: _, ...metadata } = object.metadata;
      const next = { ...object, metadata: { ...metadata, resourceVersion: '1' } };
      if (JSON.stringify(next) !== JSON.stringify(this.secret)) this.writes += 1;
      this.secret = next;
      return;
    }
    const [{ clientConfig }] = object['webhooks'] as [{ clientConfig: { caBundle: string } }];
    const key = object.kind.startsWith('Validating') ? 'validating' : 'mutating';
    const next = configuration(object.kind, clientConfig.caBundle);
    if (JSON.stringify(next) !== JSON.stringify(this[key])) this.writes += 1;
    this[key] = next;
  }

  text(key: string): string {
    const data = (this.secret?.['data'] ?? {}) as Readonly<Record<string, string>>;
    return Buffer.from(data[key] ?? '', 'base64').toString();
  }

  /** Whether what is served at this moment is trusted by every webhook. */
  isTrusted(now: Date): boolean {
    const [leaf] = readBundle(this.text('tls.crt'));
    return [this.validating, this.mutating].every((one) =>
      (one['webhooks'] as { clientConfig: { caBundle?: string } }[]).every(({ clientConfig }) =>
        readBundle(Buffer.from(clientConfig.caBundle ?? '', 'base64').toString()).some(
          (ca) => ca.validToDate > now && leaf!.checkIssued(ca) && leaf!.verify(ca.publicKey),
        ),
      ),
    );
  }
}

test('where there is nothing, all is made at once, and goes with the configuration', async (t) => {
  const world = new World();
  await world.pass(START);
  t.true(world.isTrusted(START));
  t.is(world.writes, 3);
  t.is(world.secret?.metadata.ownerReferences?.[0]?.uid, 'uid-of-ValidatingWebhookConfiguration');
  t.is(readBundle(world.text('tls.crt'))[0]?.checkHost(HOST), HOST);
});

test('until it is due nothing is written, and somebody looks once a day', async (t) => {
  const world = new World();
  await world.pass(START);
  const comesMs = await world.pass(at(1));
  t.is(world.writes, 3);
  t.is(Math.round(comesMs / 1000), 799);
});

test('after two thirds of its life another is trusted beside it, later served, and the old one forgotten at its end', async (t) => {
  const world = new World();
  await world.pass(START);
  const first = world.text('tls.crt');
  await world.pass(at(801));
  t.is(world.text('tls.crt'), first, 'what is served is still the old one');
  t.is(readBundle(world.text('ca.crt')).length, 2);
  await world.pass(at(802));
  t.is(world.secret?.metadata.annotations?.[ANNOTATIONS.trustedAt], '2026-11-22T12:13:22Z');
  await world.pass(at(855));
  t.is(world.text('tls.crt'), first, 'an API server may not know yet');
  await world.pass(at(863));
  t.not(world.text('tls.crt'), first);
  t.is(world.text('next.crt'), '');
  t.is(readBundle(world.text('ca.crt')).length, 2);
  await world.pass(at(1201));
  t.is(readBundle(world.text('ca.crt')).length, 1);
  t.true(world.isTrusted(at(1201)));
});

test('of a life that is short, a sixth is for API servers to learn what to trust', async (t) => {
  const world = new World({ validSeconds: 60 });
  await world.pass(START);
  const first = world.text('tls.crt');
  await world.pass(at(41));
  await world.pass(at(42));
  await world.pass(at(51));
  t.is(world.text('tls.crt'), first);
  await world.pass(at(52));
  t.not(world.text('tls.crt'), first);
});

test('at no moment something is served that is not trusted, wherever a pass is cut short', async (t) => {
  for (const cut of [0, 1, 2, 3]) {
    const world = new World();
    await world.pass(START);
    for (let seconds = 1; seconds < 5000; seconds += 31) {
      const now = at(seconds);
      await world.pass(now, seconds % 3 === 0 ? Infinity : cut);
      t.true(world.isTrusted(now), `cut after ${cut} writes, at ${seconds} s`);
    }
  }
});

test('a webhook that is found elsewhere gets a certificate for that, without a gap', async (t) => {
  const world = new World();
  await world.pass(START);
  const webhooks = (world.validating['webhooks'] as { clientConfig: object }[]).map((one) => ({
    ...one,
    clientConfig: { ...one.clientConfig, service: undefined, url: 'https://10.0.0.7:9443/validate' },
  }));
  world.validating = { ...world.validating, webhooks };
  await world.pass(at(1));
  t.is(readBundle(world.text('tls.crt'))[0]?.checkIP('10.0.0.7'), undefined);
  t.is(readBundle(world.text('next.crt'))[0]?.checkIP('10.0.0.7'), '10.0.0.7');
  t.is(readBundle(world.text('next.crt'))[0]?.checkHost(HOST), HOST);
});

test('what is over is replaced as a whole', async (t) => {
  const world = new World();
  await world.pass(START);
  const expired = at(1300);
  await world.pass(expired);
  t.true(world.isTrusted(expired));
  t.is(readBundle(world.text('ca.crt')).length, 1);
});

test('where the Secret is lost, or broken, what replicas still serve goes on being trusted', async (t) => {
  const world = new World();
  await world.pass(START);
  const served = world.secret;
  for (const secret of [undefined, { ...served!, data: { 'tls.crt': 'bm9uZQ==', 'tls.key': '' } }]) {
    world.secret = secret;
    await world.pass(at(1));
    t.true(world.isTrusted(at(1)));
    const made = world.secret;
    world.secret = served;
    t.true(world.isTrusted(at(1)), 'the old one');
    world.secret = made;
  }
  for (let count = 0; count < 20; count += 1) {
    world.secret = undefined;
    await world.pass(at(2 + count));
  }
  t.is(readBundle(world.text('ca.crt')).length, 8, 'not without end');
  t.true(world.isTrusted(at(30)));
});
