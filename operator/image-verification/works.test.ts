// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RegistryClient } from '../oci/client.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { inputsBy } from './testing/policy-inputs.ts';
import { imageWorks } from './works.ts';

const works = imageWorks({
  registry: new RegistryClient({ registries: [] }),
  client: { get: () => Promise.resolve(undefined) },
  metrics: createMetrics(),
  log: createLog({ level: 'silent' }),
});

test.after.always(() => works.close());

test('what is wrong with a policy is found out once, as long as its inputs are the same', (t) => {
  const [spoilt, sound] = [inputsBy('no key'), inputsBy(works.publicKeyOf(works.newKey()) ?? '')];
  const [problem] = works.problemsOf(spoilt);
  t.is(problem?.field, 'spec.authorities[0].key.pem');
  t.is(works.problemsOf(spoilt), works.problemsOf(spoilt));
  t.deepEqual(works.problemsOf(sound), []);
  t.not(
    works.problemsOf(inputsBy('no key')),
    works.problemsOf(spoilt),
    'others may name something else by now',
  );
});

test('a root is read once, as long as it says the same', (t) => {
  const [one, other] = ['{}', 'no root'];
  const first = works.readRoot(one);
  t.is(works.readRoot(one), first);
  t.notDeepEqual(works.readRoot(other), first);
  t.deepEqual(works.readRoot(one), first);
});
