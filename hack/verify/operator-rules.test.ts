// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { operatorProblems } from './operator-rules.ts';

const CASES: Readonly<
  Record<string, { readonly path: string; readonly text: string; readonly want: number }>
> = {
  'a root that imports http': {
    path: 'operator/leave.ts',
    text: "import { get } from 'node:http';",
    want: 1,
  },
  'a controller that gets it otherwise': {
    path: 'operator/controllers/run.ts',
    text: "const { request } = process.getBuiltinModule('node:https');",
    want: 1,
  },
  'a socket': { path: 'operator/leave.ts', text: "import { connect } from 'node:net';", want: 1 },
  'a lookup of names': { path: 'operator/setup.ts', text: "import dns from 'node:dns/promises';", want: 1 },
  'a call of fetch': {
    path: 'operator/core/run/plan.ts',
    text: "const a = await fetch('https://x');",
    want: 1,
  },
  'a method of that name, and what only sounds like it': {
    path: 'operator/core/run/plan.ts',
    text: 'this.fetch();\nprefetch();\nreader.fetch(1);',
    want: 0,
  },
  'the runtime': {
    path: 'operator/runtime/health-server.ts',
    text: "process.getBuiltinModule('node:http'); fetch('x');",
    want: 0,
  },
  'the time of the machine': {
    path: 'operator/controllers/agent.ts',
    text: 'const now = new Date();',
    want: 1,
  },
  'also in the runtime': {
    path: 'operator/runtime/reconcile.ts',
    text: 'x;\nconst now = Date.now();',
    want: 1,
  },
  'an instant that was told is no time of the machine': {
    path: 'operator/core/run/retry.ts',
    text: 'new Date(since).getTime()',
    want: 0,
  },
  'the clock itself': { path: 'operator/runtime/clock.ts', text: 'Date.now()', want: 0 },
  'a test': { path: 'operator/runtime/clock.test.ts', text: 'Date.now()', want: 0 },
  'what is for tests': { path: 'operator/runtime/testing/rig.ts', text: "import 'node:http';", want: 0 },
  'a comment': { path: 'operator/core/plan.ts', text: ' * never `new Date()`\n// no Date.now()', want: 0 },
  'other folders': { path: 'hack/verify.ts', text: "import 'node:http'; Date.now()", want: 0 },
};

for (const [title, { path, text, want }] of Object.entries(CASES)) {
  test(`reserved: ${title}`, (t) => {
    const found = operatorProblems([{ path, text }]);
    t.is(found.length, want, found.join('\n'));
    for (const one of found) t.regex(one, new RegExp(`^${path}:\\d+: \\S`));
  });
}
