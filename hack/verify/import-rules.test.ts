// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMPORT_RULES, importProblems } from './import-rules.ts';

interface Case {
  readonly file: string;
  readonly specifier: string;
  readonly want?: RegExp;
}

const CASES: Readonly<Record<string, Case>> = {
  'core may import the API': { file: 'operator/core/run/plan.ts', specifier: '#crds/v1alpha1/run' },
  'core may import itself': { file: 'operator/core/run/plan.ts', specifier: '../plan.ts' },
  'core does no I/O': {
    file: 'operator/core/run/plan.ts',
    specifier: 'node:fs',
    want: /operator\/core\/run\/plan\.ts:7: .*may not import node:fs/,
  },
  'core knows no package': {
    file: 'operator/core/plan.ts',
    specifier: 'undici',
    want: /may not import undici/,
  },
  'a test of core may use ava': { file: 'operator/core/plan.test.ts', specifier: 'ava' },
  'a test may use what it is the test of': {
    file: 'operator/controllers/image-verdict.test.ts',
    specifier: './image-verdict.ts',
  },
  'a test of one controller knows no other': {
    file: 'operator/controllers/image-verdict.test.ts',
    specifier: './image-policy.ts',
    want: /may not import operator\/controllers\/image-policy\.ts/,
  },
  'a controller knows no other': {
    file: 'operator/controllers/image-verdict.ts',
    specifier: './image-policy.ts',
    want: /may not import operator\/controllers\/image-policy\.ts/,
  },
  'the API knows no controller': {
    file: 'crds/v1alpha1/run.ts',
    specifier: '#operator/controllers/run',
    want: /may not import operator\/controllers\/run\.ts/,
  },
  'the runtime knows no kind': {
    file: 'operator/runtime/manager.ts',
    specifier: '#crds/v1alpha1/tenant',
    want: /may not import/,
  },
  'the runtime may use the contract': { file: 'operator/runtime/manager.ts', specifier: '../core/plan.ts' },
  'the runtime knows no decision': {
    file: 'operator/runtime/manager.ts',
    specifier: '../core/run/plan.ts',
    want: /may not import/,
  },
  'no controller imports another': {
    file: 'operator/controllers/run.ts',
    specifier: './agent.ts',
    want: /may not import operator\/controllers\/agent\.ts/,
  },
  'the list imports every controller': { file: 'operator/controllers/index.ts', specifier: './agent.ts' },
  'main wires the operator': { file: 'operator/main.ts', specifier: './controllers/index.ts' },
  'e2e tests see the operator as a process': {
    file: 'e2e/scenarios/tenant.e2e.test.ts',
    specifier: '#operator/controllers/tenant',
    want: /may not import/,
  },
  'nor do they share its decisions': {
    file: 'e2e/scenarios/tenant.e2e.test.ts',
    specifier: '#operator/core/plan',
    want: /may not import/,
  },
  'a package in a scope': { file: 'operator/runtime/credentials.ts', specifier: '@kubernetes/client-node' },
  'a folder of a package is that package': {
    file: 'hack/verify/docs.ts',
    specifier: 'typescript/unstable/ast',
  },
  'crossing needs #': {
    file: 'operator/core/plan.ts',
    specifier: '../../crds/v1alpha1/run.ts',
    want: /leaves operator\/: use #crds\/v1alpha1\/run/,
  },
  'staying needs a relative import': {
    file: 'operator/core/plan.ts',
    specifier: '#operator/core/object',
    want: /stays in operator\/: use a relative import/,
  },
  'core needs nothing of its tests': {
    file: 'operator/core/tenant/plan.ts',
    specifier: './testing/observed.ts',
    want: /only tests may import operator\/core\/tenant\/testing\/observed\.ts/,
  },
  'nor does the runtime': {
    file: 'operator/runtime/manager.ts',
    specifier: './testing/widgets.ts',
    want: /only tests may import/,
  },
  'nor does what is shipped': {
    file: 'operator/main.ts',
    specifier: './controllers/testing/workload-rig.ts',
    want: /only tests may import/,
  },
  'nor do tools, not even of scenarios': {
    file: 'hack/start/main.ts',
    specifier: '#e2e/user',
    want: /only tests may import e2e\/user\.ts/,
  },
  'a test uses what is for tests': {
    file: 'operator/controllers/run.test.ts',
    specifier: './testing/workload-rig.ts',
  },
  'so do parts of tests': { file: 'operator/runtime/testing/rig.ts', specifier: './widgets.ts' },
  'a test is not imported, not even by another': {
    file: 'operator/core/plan.test.ts',
    specifier: './compare.test.ts',
    want: /no file may import a test/,
  },
  'a folder that the table forgot': {
    file: 'tools/x.ts',
    specifier: 'node:fs',
    want: /no row of the import table/,
  },
};

for (const [title, { file, specifier, want }] of Object.entries(CASES)) {
  test(title, (t) => {
    const found = importProblems(file, [{ specifier, line: 7 }]);
    t.is(found.length, want === undefined ? 0 : 1, found.join('\n'));
    if (want !== undefined) t.regex(found[0]!, want);
  });
}

test('no row lets scenarios import the product, not even parts of its tests', (t) => {
  const rows = IMPORT_RULES.filter(({ from }) => from.startsWith('e2e/'));
  t.true(rows.length > 0);
  const product = /^(operator|webhooks|nexusctl|remote)\//;
  t.deepEqual(
    rows.flatMap(({ may }) => may.filter((one) => product.test(one))),
    [],
  );
});
