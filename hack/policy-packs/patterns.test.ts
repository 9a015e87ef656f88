// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { quickMatch } from '#operator/policy/builtins/quick-regex';
import { PACKS_FOLDER } from './packs.ts';

// What hosts keep of patterns is bounded (ADR 0067): no pattern of the pack that has most of them may be beyond it.

const ROOT = join(import.meta.dirname, '../..');
const TEXT = 'a short text';

const expectTime = (): void => undefined;

test('the host answers every pattern of dlp, also those that it makes of others', async (t) => {
  const rego = await readFile(join(ROOT, PACKS_FOLDER, 'dlp/policy/detectors.rego'), 'utf8');
  const shapes = [
    ...rego.matchAll(
      /"before": `([^`]*)`,\s*"one": `([^`]*)`,\s*"after": `([^`]*)`,\s*"between": `([^`]*)`/g,
    ),
  ].map(([, before = '', one = '', after = '', between = '']) => ({ before, one, after, between }));
  const literals = [...rego.matchAll(/regex\.match\(`([^`]*)`/g)].map(([, pattern = '']) => pattern);
  const hints = [...rego.matchAll(/^\t"[a-z-]+": `([^`]*)`,$/gm)].map(([, pattern = '']) => pattern);
  t.deepEqual([shapes.length, literals.length, hints.length], [18, 8, 8], 'they are found in the Rego');
  const patterns = [
    ...literals,
    ...hints,
    ...shapes.map(({ before, one, after }) => `${before}(${one})${after}`),
    ...shapes.map(
      ({ before, one, after, between }) => `${before}((?:${one})(?:${between}(?:${one}))+)${after}`,
    ),
    ...shapes.map(({ one }) => `(${one})`),
  ];
  const unanswered = patterns.filter(
    (pattern) => quickMatch({ pattern, text: TEXT, expectTime }) === undefined,
  );
  t.deepEqual(unanswered, []);
});
