// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { readSource } from '#operator/core/policy-pack/source';
import { runCommandLine } from '#nexusctl/cli/run';
import { COMMANDS } from '#nexusctl/commands';
import { operationsAskedAbout } from '#webhooks/registrations';
import { ensureTools } from '../tools/build.ts';
import { manifestOf, PACKS_FOLDER, readShippedPacks, type ShippedPack } from './packs.ts';

const ROOT = join(import.meta.dirname, '../..');
const COVERAGE = 95;
/** Annotations of an object hold at most so much, and kubectl writes what it applies into one. */
const MAX_APPLIED_BYTES = 262_144;
/** Of parameters themselves, which are shared Rego. */
const SHARED_RULES = ['parameters'];

interface Tested {
  readonly tests: number;
  readonly coveragePercent: number;
  readonly cases: readonly {
    readonly name: string;
    readonly file: string;
    readonly passed: boolean;
    readonly why: string;
    readonly rules: readonly string[];
  }[];
}

/** What `nexusctl pack test` says of a folder: `opa test`, and the cases by the compiled module in the host. */
async function testFolder(folder: string): Promise<{ readonly code: number; readonly text: string }> {
  const { opa } = await ensureTools(['opa']);
  const out: string[] = [];
  const code = await runCommandLine(['pack', 'test', folder, '-o', 'json'], {
    commands: COMMANDS,
    env: { NEXUSCTL_OPA: opa },
    cwd: ROOT,
    print: (text) => out.push(text),
    complain: (text) => out.push(text),
  });
  return { code, text: out.join('\n') };
}

const packs = readShippedPacks(ROOT);

test('there are packs, each in a folder of its name', (t) => {
  t.true(packs.length > 0);
  for (const { name } of packs) t.true(existsSync(join(ROOT, PACKS_FOLDER, name, 'README.md')), name);
});

test('the page on shipped packs names each of them, and none that is not there', (t) => {
  const page = readFileSync(join(ROOT, 'docs/how-to/use-a-shipped-pack.md'), 'utf8');
  const rows = [...page.matchAll(/^\| \[([\w-]+)\]\(([^)]+)\) \|/gm)];
  t.is(rows.length, packs.length);
  const named = new Set(rows.map(([, name]) => name));
  for (const { name } of packs) t.true(named.has(name), name);
  for (const [, name, link] of rows) t.is(link, `../../${PACKS_FOLDER}/${name}/README.md`);
});

for (const pack of packs) {
  test(`${pack.name}: tests and cases hold, and every rule has one that passes and one that does not`, async (t) => {
    const { code, text } = await testFolder(`${PACKS_FOLDER}/${pack.name}`);
    t.is(code, 0, text);
    const told = JSON.parse(text) as Tested;
    t.true(told.coveragePercent >= COVERAGE, `${told.coveragePercent} %`);
    const failed = told.cases.filter((one) => !one.passed);
    t.deepEqual(failed, []);
    const wrong = caseProblems(pack, told.cases);
    t.deepEqual(wrong, []);
  });

  test(`${pack.name}: the API server asks about all that it is bound to`, (t) => {
    const { spec } = parse(manifestOf(pack)) as { readonly spec: unknown };
    const { rules = [] } = POLICY_PACK.spec.parse(spec).binding;
    t.true(rules.length > 0);
    for (const { apiGroups, resources } of rules)
      for (const resource of resources)
        t.true(operationsAskedAbout(apiGroups[0] ?? '', resource).size > 0, resource);
  });

  test(`${pack.name}: what is applied is a PolicyPack that refuses nobody`, (t) => {
    const text = manifestOf(pack);
    t.true(Buffer.byteLength(text) < MAX_APPLIED_BYTES, `${Buffer.byteLength(text)} bytes`);
    const { spec } = parse(text) as { readonly spec: unknown };
    const read = POLICY_PACK.spec.parse(spec);
    t.is(read.enforcement, 'DryRun');
    t.is(read.tests.minCoveragePercent, COVERAGE);
    t.is(readSource(read, undefined).kind, 'found');
  });

  test(`${pack.name}: shared Rego is what is shared, and no more`, (t) => {
    const folder = join(ROOT, PACKS_FOLDER, pack.name, 'policy/lib');
    const there = existsSync(folder) ? readdirSync(folder).map((name) => `lib/${name}`) : [];
    t.deepEqual(there.toSorted(), [...pack.shared.keys()].toSorted());
  });
}

/** What cases leave open: each is named by its rule, and one that is refused is so by that rule alone. */
function caseProblems({ rules }: ShippedPack, cases: Tested['cases']): readonly string[] {
  const titles = [...new Set(rules.map(({ title }) => title))];
  const strangers = cases
    .filter(({ name }) => ![...titles, ...SHARED_RULES].includes(ruleOf(name)))
    .map(({ name }) => `${name}: begins with no rule`);
  const others = cases
    .filter(({ name, rules: said }) => said.some((one) => one !== ruleOf(name)))
    .map(({ name, rules: said }) => `${name}: is of ${said.join(', ')}`);
  const missing = titles.flatMap((title) => {
    const own = cases.filter(({ name }) => ruleOf(name) === title);
    return [
      ...(own.some(({ rules: said }) => said.length > 0) ? [] : [`${title}: no case that it speaks of`]),
      ...(own.some(({ rules: said }) => said.length === 0) ? [] : [`${title}: no case that passes`]),
    ];
  });
  return [...strangers, ...others, ...missing];
}

/** `host-path: a claim passes` is of rule host-path. */
function ruleOf(name: string): string {
  return name.split(': ')[0] ?? '';
}
