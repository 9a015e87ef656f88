// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { evaluateHere, HereSession } from './evaluate-here.ts';
import { compileModule } from './testing/compile.ts';

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const asked = { nowNs: 0n, deadlineMs: 50, memoryMiB: 16, tenant: undefined } as const;

test('a policy answers from its input and its data, the same each time', async (t) => {
  const rego = `package p
    deny contains sprintf("%s is not %v", [input.name, data.names]) if not input.name in data.names
    silent if input.name == "nobody"
    no := false`;
  const module = await compileModule({ rego, entrypoints: ['p/deny', 'p/silent', 'p/no'] });
  const session = new HereSession();
  const data = { digest: 'names', bytes: utf8({ names: ['a', 'é'] }) };
  const ask = (entrypoint: string, input: unknown) => {
    const verdict = evaluateHere({ ...asked, module, entrypoint, input: utf8(input), data }, session);
    return verdict.kind === 'value' ? verdict.value : verdict.kind;
  };
  for (const _ of [1, 2, 3]) {
    t.deepEqual(ask('p/deny', { name: 'b' }), ['b is not ["a", "é"]']);
    t.deepEqual(ask('p/deny', { name: 'é' }), []);
    t.is(ask('p/silent', { name: 'a' }), 'undefined');
    t.is(ask('p/no', {}), false);
  }
});
