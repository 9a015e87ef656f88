// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import test from 'ava';
import * as fc from 'fast-check';
import { ensureTools } from '../tools/build.ts';
import { runProgram } from '../tools/run-program.ts';
import { PACKS_FOLDER } from './packs.ts';
import { dlpCorpus } from './testing/dlp-corpus.ts';

const POLICY = join(import.meta.dirname, '../..', PACKS_FOLDER, 'dlp/policy');

interface Detectors {
  readonly hints: Readonly<
    Record<string, { readonly literals: readonly string[]; readonly patterns: readonly string[] }>
  >;
  readonly patterns: Readonly<Record<string, readonly string[]>>;
}

async function readDetectors(): Promise<Detectors> {
  const { opa } = await ensureTools(['opa']);
  const args = [
    'eval',
    '-d',
    POLICY,
    '-f',
    'raw',
    '{"hints": data.dlp.hints, "patterns": data.dlp.patterns}',
  ];
  const result = await runProgram(opa, { args, env: {} });
  if (result.code !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as Detectors;
}

/** What decides about boundaries, and what numbers and tokens are made of. */
const CHARACTERS = '0123456789 -._+()@:/=\nAEIZaeyksx\u00e9'.split('');

/** Texts with one in them, or nearly, changed here and there. */
const texts = fc
  .tuple(
    fc.constantFrom(...dlpCorpus(40).flatMap(({ text, detector }) => (detector === undefined ? [] : [text]))),
    fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.constantFrom(...CHARACTERS)), { maxLength: 4 }),
  )
  .map(([text, changes]) =>
    changes.reduce((changed, [where, cut, character]) => {
      const at = where % (changed.length + 1);
      return changed.slice(0, at) + character + changed.slice(at + cut);
    }, text),
  );

test('whatever a pattern finds has what is looked for first', async (t) => {
  const { hints, patterns } = await readDetectors();
  t.deepEqual(Object.keys(hints).toSorted(), Object.keys(patterns).toSorted());
  const detectors = Object.entries(patterns).map(([name, all]) => ({
    name,
    literals: hints[name]?.literals ?? [],
    hints: hints[name]?.patterns.map((one) => new RegExp(one)) ?? [],
    all: all.map((one) => new RegExp(one)),
  }));
  const found = new Set<string>();
  fc.assert(
    fc.property(texts, (text) => {
      for (const { name, literals, hints: first, all } of detectors) {
        const isLooked =
          (literals.length === 0 || literals.some((one) => text.includes(one))) &&
          first.every((one) => one.test(text));
        for (const pattern of all.filter((one) => one.test(text))) {
          found.add(pattern.source);
          t.true(isLooked, `${name} in ${JSON.stringify(text)}`);
        }
      }
    }),
    { numRuns: 20_000 },
  );
  // Else this would hold of nothing.
  t.is(found.size, Object.values(patterns).flat().length, [...found].join('\n'));
});
