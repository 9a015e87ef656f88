// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ensureTools } from '#hack/tools/build';
import { runProgram } from '#hack/tools/run-program';
import { LEFT_OUT } from './builtins/left-out.ts';
import { CAPABILITIES, type OpaCapabilities, restrictCapabilities } from './capabilities.ts';

/** What a policy must not have, whoever adds to the list. */
const NEVER = [
  'http.send',
  'net.lookup_ip_addr',
  'rand.intn',
  'uuid.rfc4122',
  'providers.aws.sign_req',
  'io.jwt.encode_sign',
  'rego.parse_module',
];

test('every capability is one that the pinned opa has, and none leads out of the evaluation', async (t) => {
  const { opa } = await ensureTools(['opa']);
  const { stdout } = await runProgram(opa, { args: ['capabilities', '--current'] });
  const current = JSON.parse(stdout) as OpaCapabilities;
  const names = new Set(current.builtins.map(({ name }) => name));
  t.deepEqual(
    CAPABILITIES.filter((name) => !names.has(name)),
    [],
  );
  t.is(new Set(CAPABILITIES).size, CAPABILITIES.length, 'none is there twice');
  t.deepEqual(
    CAPABILITIES.filter((name) => NEVER.includes(name)),
    [],
  );
  const restricted = restrictCapabilities(current);
  t.deepEqual(restricted.builtins.map(({ name }) => name).toSorted(), CAPABILITIES);
  t.deepEqual(restricted.allow_net, []);
  t.deepEqual(
    [...CAPABILITIES, ...Object.keys(LEFT_OUT)].toSorted(),
    [...names].toSorted(),
    'of each it is said why not',
  );
});
