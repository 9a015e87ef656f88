// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANONYMOUS } from '../core/oci/credentials.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import type { Asking, Registry } from '../oci/client.ts';
import { registryEvidence } from './registry-evidence.ts';

test('what is asked for an image is asked for whose it is', async (t) => {
  const asked: Asking['whose'][] = [];
  const note = (_: unknown, __: unknown, { whose }: Asking) => {
    asked.push(whose);
    return Promise.resolve({ kind: 'absent', message: 'nothing' } as const);
  };
  const resolve: Registry['resolve'] = (reference, asking) => note(reference, undefined, asking);
  const registry: Registry = { resolve, manifest: note, blob: note, referrers: note };
  const repository = { registry: 'r.example', repository: 'a/b' };
  const source = registryEvidence({ registry, repository, keychain: ANONYMOUS, whose: 'acme' });
  await source.gather(digestOfBytes(Buffer.from('x')));
  t.true(asked.length > 0);
  t.true(asked.every((whose) => whose === 'acme'));
});
