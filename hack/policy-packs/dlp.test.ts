// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { processorMs } from '../tools/processor-time.ts';
import { ensureTools } from '../tools/build.ts';
import type { JsonObject } from '#operator/core/policy/review';
import { openCompiler } from '#nexusctl/pack/compiler';
import { readPack } from '#nexusctl/pack/folder';
import { reviewOfObject } from '#nexusctl/pack/review-of';
import { judge, openPack, type PackVerdict, type ReadyPack } from '#nexusctl/pack/verdict';
import { PACKS_FOLDER } from './packs.ts';
import { dlpCorpus, type LabelledText } from './testing/dlp-corpus.ts';

const ROOT = join(import.meta.dirname, '../..');
const EACH = 250;
const AT_ONCE = 20;
const BLOCK_ALL = { personal: 'block', financial: 'block', identity: 'block', credentials: 'block' };
const DETECTORS = [
  'credit-card',
  'iban',
  'email',
  'phone',
  'private-key',
  'cloud-token',
  'jwt',
  'national-id',
];

let pack: ReadyPack;

test.before(async () => {
  const { opa } = await ensureTools(['opa']);
  const compiler = await openCompiler({ args: [], flags: { opa }, env: {}, cwd: ROOT });
  pack = await openPack(await readPack(join(ROOT, PACKS_FOLDER, 'dlp')), compiler);
});

function ask(data: JsonObject): PackVerdict {
  const metadata = { name: 'texts', namespace: 'acme-dev' };
  const read = reviewOfObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  if (read.kind === 'refused') throw new Error(read.message);
  return judge(pack, read.review, {
    facts: { tenant: undefined, namespace: { name: 'acme-dev', labels: {} } },
    now: new Date(0),
    trust: 'Platform',
    point: 'webhook',
    parameters: BLOCK_ALL,
  });
}

/** What is found in each text: names of detectors. */
function found(texts: readonly LabelledText[]): readonly ReadonlySet<string>[] {
  const { composition } = ask(Object.fromEntries(texts.map(({ text }, index) => [`t${index}`, text])));
  const sets = texts.map(() => new Set<string>());
  for (const { rule, field = '', message } of composition?.denials ?? []) {
    if (!rule.startsWith('dlp/')) throw new Error(message);
    sets[Number(field.slice('/data/t'.length))]?.add(rule.slice('dlp/'.length));
  }
  return sets;
}

interface Measured {
  readonly precision: string;
  readonly recall: string;
  readonly missed: readonly string[];
  readonly wrong: readonly string[];
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

function measure(
  detector: string,
  texts: readonly LabelledText[],
  said: readonly ReadonlySet<string>[],
): Measured {
  const isSaid = texts.map((_, index) => said[index]?.has(detector) === true);
  const right = texts.filter((one, index) => isSaid[index] && one.detector === detector).length;
  const missed = texts.filter((one, index) => !isSaid[index] && one.detector === detector);
  const wrong = texts.filter((one, index) => isSaid[index] && one.detector !== detector);
  return {
    precision: percent(right, right + wrong.length),
    recall: percent(right, right + missed.length),
    missed: missed.map(({ text }) => text),
    wrong: wrong.map(({ text }) => text),
  };
}

test('what the README says of precision and recall is so', (t) => {
  t.timeout(3 * 60_000);
  const texts = dlpCorpus(EACH);
  const said = Array.from({ length: Math.ceil(texts.length / AT_ONCE) }, (_, index) =>
    found(texts.slice(index * AT_ONCE, (index + 1) * AT_ONCE)),
  ).flat();
  const rows = DETECTORS.map((detector) => {
    const { precision, recall, missed, wrong } = measure(detector, texts, said);
    t.log(detector, precision, recall, missed.slice(0, 3), wrong.slice(0, 5));
    t.true(Number.parseFloat(precision) >= 85, `${detector}: precision ${precision}`);
    t.true(Number.parseFloat(recall) >= 95, `${detector}: recall ${recall}`);
    return `| \`${detector}\` | ${precision} | ${recall} |`;
  });
  const readme = readFileSync(join(ROOT, PACKS_FOLDER, 'dlp/README.md'), 'utf8');
  for (const row of rows) t.true(readme.includes(row), `README.md of the pack must say: ${row}`);
  t.true(readme.includes(`${texts.length} texts`), `README.md must say: ${texts.length} texts`);
});

test('what is found is in no message', (t) => {
  for (const { text, detector } of dlpCorpus(20).filter((one) => one.detector !== undefined)) {
    const { texts } = ask({ note: text });
    const words = text.split(/[\s",={}]+/).filter((word) => /\d/.test(word) && word.length >= 6);
    for (const said of texts) for (const word of words) t.false(said.includes(word), detector);
  }
});

/** What looks like one and is none, and what is one. */
const PAIRS: Readonly<Record<string, readonly [none: string, one: string]>> = {
  'credit-card': ['4111 1111 1111 1112', '4111 1111 1111 1111'],
  iban: ['DE89 3704 0044 0532 0130 01', 'DE89 3704 0044 0532 0130 00'],
  email: ['anna@example.com', 'anna@acme.io'],
  phone: ['+1 111 111 1111', '+49 30 901820'],
  'cloud-token': [['AK', 'IA', 'X'.repeat(16)].join(''), ['AK', 'IA', 'Q2W3E4R5T6Y7U2I3'].join('')],
  'national-id': ['000-12-3456', '536-22-8145'],
};

test('one is found behind others that are none, whatever they share', (t) => {
  for (const [detector, [none, one]] of Object.entries(PAIRS)) {
    for (const separator of [' ', ',', '\n', ';', '"', '\t']) {
      const rows = [
        [none, one],
        [none, none, one],
        [none, one, none],
        [none, none, none, none, one, none],
      ];
      const labelled = [...rows, [none, none, none]].map((row) => ({ detector, text: row.join(separator) }));
      const said = found(labelled);
      const where = `${detector}, between them ${JSON.stringify(separator)}`;
      for (const set of said.slice(0, -1)) t.deepEqual([...set], [detector], where);
      t.deepEqual([...(said.at(-1) ?? [])], [], where);
    }
  }
});

/** The API server takes no more than a MiB of a ConfigMap. */
const HOSTILE: Readonly<Record<string, string>> = {
  'digits without end': '4'.repeat(100_000),
  'cards without end': '4111 1111 1111 1112 '.repeat(5000),
  'accounts without end': 'DE89 3704 0044 0532 0130 01 '.repeat(3500),
  'addresses that do not end': `${'a.'.repeat(50_000)}@`,
  'headers of keys': '-----BEGIN '.repeat(9000),
  'dots and dashes': '+1-('.repeat(25_000),
};

for (const [title, text] of Object.entries(HOSTILE)) {
  test(`time grows as the text does: ${title}`, (t) => {
    const timed = (value: string) => {
      const times = [1, 2, 3].map(() =>
        processorMs(() => {
          const { composition } = ask({ note: value });
          t.false((composition?.denials ?? []).some(({ rule }) => rule === 'evaluation'));
        }),
      );
      return Math.min(...times);
    };
    const [quarter, whole] = [timed(text.slice(0, text.length / 4)), timed(text)];
    t.log(`${quarter.toFixed(1)} ms, ${whole.toFixed(1)} ms`);
    // In the square of it, it would be 16 times as much.
    t.true(whole < quarter * 8 + 30, `${quarter} ms and ${whole} ms`);
  });
}
