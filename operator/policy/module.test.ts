// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import test from 'ava';
import { MODULE_LIMITS, verifyModule } from './module.ts';
import { compileRego } from './testing/compile.ts';

const rego = `package p
  deny contains msg if { input.x > 1; msg := sprintf("%v", [input.x]) }
  allow if time.now_ns() > 0`;

test('what the compiler makes is taken, and tells its entry points and builtins without being run', async (t) => {
  const bytes = await compileRego({ rego, entrypoints: ['p/deny', 'p/allow'] });
  const verification = verifyModule(bytes);
  if (verification.kind === 'refused') return t.fail(JSON.stringify(verification.faults));
  const { module } = verification;
  t.deepEqual(module.entrypoints.toSorted(), ['p/allow', 'p/deny']);
  t.deepEqual(module.builtins.toSorted(), ['sprintf', 'time.now_ns']);
  t.deepEqual(module.abi, { major: 1, minor: 3 });
  t.is(module.digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  return undefined;
});

test('each builtin that packs may not use is named', async (t) => {
  const bytes = await compileRego({
    rego: 'package p\nallow if { http.send({"url": "x", "method": "get"}); rand.intn("a", 2) == 1; upper("a") == "A" }',
    entrypoints: ['p/allow'],
  });
  const verification = verifyModule(bytes);
  if (verification.kind === 'ok') return t.fail('it was taken');
  t.deepEqual(
    verification.faults.map((one) => one.reason),
    ['Builtin'],
  );
  t.regex(
    verification.faults[0]?.message ?? '',
    /^the module uses http\.send, rand\.intn, which packs may not/,
  );
  return undefined;
});

test('a module is cut off anywhere: it is refused, and never read beyond its end', async (t) => {
  const bytes = await compileRego({ rego, entrypoints: ['p/deny'] });
  for (let length = 0; length < bytes.length; length += 997) {
    t.is(verifyModule(bytes.slice(0, length)).kind, 'refused', `${length} bytes`);
  }
  t.is(verifyModule(bytes, { ...MODULE_LIMITS, maxBytes: bytes.length - 1 }).kind, 'refused');
});
