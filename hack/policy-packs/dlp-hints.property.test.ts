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
  readonly hints: Readonly<Record<string, string>>;
  readonly shapes: Readonly<
    Record<string, readonly { readonly before: string; readonly one: string; readonly after: string }[]>
  >;
}

async function readDetectors(): Promise<Detectors> {
  const { opa } = await ensureTools(['opa']);
  const args = ['eval', '-d', POLICY, '-f', 'raw', '{"hints": data.dlp.hints, "shapes": data.dlp.shapes}'];
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
  const { hints, shapes } = await readDetectors();
  t.deepEqual(Object.keys(hints).toSorted(), Object.keys(shapes).toSorted());
  const detectors = Object.entries(shapes).map(([name, all]) => ({
    name,
    hint: new RegExp(hints[name] ?? '$^'),
    all: all.map(({ before, one, after }) => new RegExp(`${before}(${one})${after}`)),
  }));
  const found = new Set<string>();
  fc.assert(
    fc.property(texts, (text) => {
      for (const { name, hint, all } of detectors) {
        const isLooked = hint.test(text);
        for (const pattern of all.filter((one) => one.test(text))) {
          found.add(pattern.source);
          t.true(isLooked, `${name} in ${JSON.stringify(text)}`);
        }
      }
    }),
    { numRuns: 20_000 },
  );
  // Else this would hold of nothing.
  t.is(found.size, detectors.flatMap(({ all }) => all).length, [...found].join('\n'));
});
