// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { Writable } from 'node:stream';
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { PolicyVerdict, Proof } from '#operator/core/images/proof';
import type { KubeObject } from '#operator/core/object';
import { MetricFactory } from '#operator/telemetry/metric';
import { createImages } from '../images/images.ts';
import { PlayedVerifier, proofOf } from '../images/testing/verdicts.ts';
import {
  FakeCache,
  makePack,
  makeRequest,
  makeRevision,
  makeTenant,
  type PackParts,
  PLATFORM,
  startWorld,
} from '../testing/pack-world.ts';

const RULES = `package signed
deny contains sprintf("%s: %s", [one.image, object.get(one, "reason", "signed by others")]) if {
	some one in input.images
	not by_release(one)
}
by_release(one) if {
	some policy in one.policies
	policy.kind == "ClusterImagePolicy"
	some signer in policy.signers
	signer.fingerprint == "f1"
	"signature" in signer.states
}`;
const TOLD: PackParts = { revision: { facts: ['Images'] } };
const FACTS: NonNullable<PolicyVerdict['facts']> = {
  checks: { signatures: { outcome: 'Verified' } },
  signers: [{ authority: 'release', fingerprint: 'f1', states: ['signature'] }],
  signersLeftOut: 0,
};
const IMAGE = 'registry.example/app:1';

const POLICY: KubeObject = {
  apiVersion: API_VERSION,
  kind: 'ClusterImagePolicy',
  metadata: { name: 'signed', uid: 'u1', generation: 1 },
  spec: { images: ['registry.example/*'], enforcement: 'Warn', unknown: 'Deny', maxAgeSeconds: 3600 },
};

/** Keeps what is logged. */
class Lines extends Writable {
  #text = '';

  last() {
    return JSON.parse(this.#text.trim().split('\n').at(-1) ?? '');
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#text += chunk.toString();
    done();
  }
}

/** A process whose pack is told of images, with a policy, and an operator that vouches. */
async function begin(parts: PackParts = TOLD) {
  const cache = new FakeCache();
  cache.put(...makeTenant('acme', 'acme-dev', 'acme-prod'));
  const { name, object, chunks } = await makeRevision(RULES, parts);
  cache.put(makePack({ activeRevision: name, phase: 'Active' }), object, ...chunks);
  const factory = new MetricFactory();
  const images = createImages({ cache, platformNamespace: PLATFORM, factory, onWanted: () => undefined });
  const verifier = new PlayedVerifier();
  cache.put(POLICY, verifier.configMap);
  const log = new Lines();
  const world = await startWorld({ cache, images: images.tellerFor, log });
  const object1 = makeRequest().object;
  const pod = { ...object1!, spec: { containers: [{ name: 'c', image: IMAGE }] } };
  return {
    ...world,
    wanted: () => images.wanted().map(({ namespace, image }) => `${namespace} ${image}`),
    verifier,
    log,
    judge: async () => (await world.ask({ object: pod })).refusals[0]?.message,
  };
}

function proof(change: Partial<Proof> = {}, of: Partial<PolicyVerdict> = { facts: FACTS }): Proof {
  return proofOf(new Date(), { namespace: 'acme-dev', ...change }, of);
}

test('rules are told what the operator has signed, and what it has not they know nothing of', async (t) => {
  const { cache, verifier, judge, wanted } = await begin();
  t.regex((await judge()) ?? '', /registry\.example\/app:1: BeingVerified/);
  t.deepEqual(wanted(), [`acme-dev ${IMAGE}`], 'the operator is asked to look at it');
  const verdict = verifier.verdict('app', proof());
  cache.put(verdict);
  t.is(await judge(), undefined);
  t.deepEqual(wanted(), []);
  cache.remove(verdict);
  t.regex((await judge()) ?? '', /BeingVerified/);
  // Whoever can write the object, and has no key, says nothing by it.
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  cache.put(verifier.verdict('app', proof(), stranger));
  t.regex((await judge()) ?? '', /BeingVerified/);
  const { status: _, ...bare } = verdict as KubeObject & { readonly status: unknown };
  cache.put({ ...bare, status: { facts: { signers: FACTS.signers }, policies: [{ outcome: 'Verified' }] } });
  t.regex((await judge()) ?? '', /BeingVerified/);
  // What was proved in one namespace is not so in another.
  const elsewhere = verifier.verdict('app', proof({ namespace: 'acme-prod' }));
  cache.put({ ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'acme-dev' } });
  t.regex((await judge()) ?? '', /BeingVerified/);
});

test('by somebody else, and by nobody that could be told of, is told apart', async (t) => {
  const { cache, verifier, judge } = await begin();
  const other = { ...FACTS, signers: [{ ...FACTS.signers[0]!, fingerprint: 'f2' }] };
  cache.put(verifier.verdict('app', proof({}, { facts: other })));
  t.regex((await judge()) ?? '', /signed by others/);
  cache.put(
    verifier.verdict(
      'app',
      proof(
        { verifiedAt: new Date(Date.now() + 1000).toISOString() },
        {
          outcome: 'Unknown',
          reason: 'RegistryUnreachable',
        },
      ),
    ),
  );
  t.regex((await judge()) ?? '', /CouldNotBeTold/);
});

test('a policy that asks something else has all of it be unknown until it is found out', async (t) => {
  const { cache, verifier, judge } = await begin();
  cache.put(verifier.verdict('app', proof()));
  t.is(await judge(), undefined);
  cache.put({ ...POLICY, metadata: { ...POLICY.metadata, generation: 2 } });
  t.regex((await judge()) ?? '', /BeingVerified/);
});

test('the decision log has what rules were told, and nothing where none was', async (t) => {
  const told = await begin();
  told.cache.put(told.verifier.verdict('app', proof()));
  await told.judge();
  await told.packs.close();
  const event = told.log.last();
  t.like(event.input.images[0], {
    image: IMAGE,
    state: 'Known',
    policies: [{ kind: 'ClusterImagePolicy', name: 'signed', outcome: 'Verified', signers: FACTS.signers }],
  });
  const deaf = await begin({});
  t.is(await deaf.judge(), undefined, 'input.images is not there');
  await deaf.packs.close();
  t.false('images' in deaf.log.last().input);
});
