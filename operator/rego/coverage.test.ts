// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { coverageOf } from './coverage.ts';
import { sourceFiles } from './compile.ts';
import { testPack } from './pack-tests.ts';
import { verifyTools } from './testing/verifying.ts';

/** Of these five lines of rules, tests reach three. */
const RULES = `package a

deny contains msg if {
	input.x
	msg := "no"
}

never if {
	input.y
}
`;

const TEST = `
test_denied if {
	deny["no"] with input as {"x": true}
	count(deny) == 1 with input as {"x": true}
} else := false if {
	input.z
}
`;

const V0 = `package a

deny[msg] {
	input.x
	msg := "no"
}

never {
	input.y
}

test_denied {
	deny["no"] with input as {"x": true}
}
`;

const CASES: Readonly<
  Record<
    string,
    { readonly modules: Record<string, string>; readonly regoVersion?: 'V0'; readonly missed?: string }
  >
> = {
  'in files of their own': {
    modules: { 'a.rego': RULES, 'a_test.rego': `package a_test\nimport data.a.deny\n${TEST}` },
  },
  'beside their rules': { modules: { 'a.rego': `${RULES}${TEST}` } },
  'before their rules, in several files': {
    modules: {
      'a.rego': RULES.replace('package a\n', `package a\n${TEST}`),
      'b/more.rego': 'package a\n\ntest_more if { not never }\n\ntodo_test_later if { false }\n',
    },
    missed: 'a.rego:15-16',
  },
  'in a package for tests, with what they need': {
    modules: {
      'a.rego': RULES,
      'tests.rego': `package a_test\nimport data.a.deny\n\nunused := {"x": 1}\n${TEST}`,
    },
  },
  'in Rego before 1.0': { modules: { 'a.rego': V0 }, regoVersion: 'V0' },
};

for (const [where, { modules, regoVersion = 'V1', missed = 'a.rego:8-9' }] of Object.entries(CASES)) {
  test(`tests are no part of what they reach: ${where}`, async (t) => {
    const { run, capabilities } = await verifyTools();
    const outcome = await testPack(
      { files: sourceFiles(modules, undefined), regoVersion },
      { run, capabilities: await capabilities(), roots: [''], timeoutMs: 20_000 },
    );
    if (outcome.kind === 'failed') throw new Error(outcome.message);
    t.is(outcome.coverage?.percent, 60);
    t.deepEqual(outcome.coverage?.missed, [missed], 'the lines of what no test reaches');
  });
}

test('what is no report says nothing', (t) => {
  t.is(coverageOf(undefined, new Map()), undefined);
  t.is(coverageOf({ errors: [] }, new Map()), undefined);
  t.deepEqual(coverageOf({ files: {} }, new Map()), { percent: 100, missed: [] });
});
