// SPDX-License-Identifier: Apache-2.0
import calculator from 'ae-cvss-calculator';
import { remembering } from '../remember.ts';

// It is a module of the older kind: its names are known by its whole only.
const { Cvss2, Cvss3P0, Cvss3P1, Cvss4P0 } = calculator;

/** A version of CVSS: what its vectors begin with, and the values of each base metric. */
interface Grammar {
  readonly prefix: string;
  readonly base: Readonly<Record<string, string>>;
  /** Metrics that a vector may have besides; who wrote the report chooses them, so they never count. */
  readonly other: RegExp;
  readonly score: (vector: string) => number | null | undefined;
}

const V3 = { AV: 'NALP', AC: 'LH', PR: 'NLH', UI: 'NR', S: 'UC', C: 'HLN', I: 'HLN', A: 'HLN' };
const OTHER_V3 =
  /^(?:E:[XHFPU]|RL:[XUWTO]|RC:[XCRU]|[CIA]R:[XHML]|M(?:AV:[XNALP]|AC:[XLH]|PR:[XNLH]|UI:[XNR]|S:[XUC]|[CIA]:[XHLN]))$/;

const GRAMMARS: readonly Grammar[] = [
  {
    prefix: 'CVSS:4.0/',
    base: {
      AV: 'NALP',
      AC: 'LH',
      AT: 'NP',
      PR: 'NLH',
      UI: 'NPA',
      VC: 'HLN',
      VI: 'HLN',
      VA: 'HLN',
      SC: 'HLN',
      SI: 'HLN',
      SA: 'HLN',
    },
    other:
      /^(?:E:[XAPU]|[CIA]R:[XHML]|M(?:AV:[XNALP]|AC:[XLH]|AT:[XNP]|PR:[XNLH]|UI:[XNPA]|V[CIA]:[XHLN]|SC:[XHLN]|S[IA]:[XSHLN])|S:[XNP]|AU:[XNY]|R:[XAUI]|V:[XDC]|RE:[XLMH]|U:(?:X|Clear|Green|Amber|Red))$/,
    score: (vector) => new Cvss4P0(vector).calculateScores().base,
  },
  {
    prefix: 'CVSS:3.1/',
    base: V3,
    other: OTHER_V3,
    score: (vector) => new Cvss3P1(vector).calculateScores().base,
  },
  {
    prefix: 'CVSS:3.0/',
    base: V3,
    other: OTHER_V3,
    score: (vector) => new Cvss3P0(vector).calculateScores().base,
  },
  {
    prefix: '',
    base: { AV: 'LAN', AC: 'HML', Au: 'MSN', C: 'NPC', I: 'NPC', A: 'NPC' },
    other:
      /^(?:E:(?:U|POC|F|H|ND)|RL:(?:OF|TF|W|U|ND)|RC:(?:UC|UR|C|ND)|CDP:(?:N|L|LM|MH|H|ND)|TD:(?:N|L|M|H|ND)|[CIA]R:(?:L|M|H|ND))$/,
    score: (vector) => new Cvss2(vector).calculateScores().base,
  },
];

const MAX_VECTOR = 256;

/** Vectors repeat, and one of version 4 costs a fifth of a millisecond. */
const scoreOnce = remembering(4096, scoreOf);

/**
 * The base score of a vector, in tenths; undefined for what is no vector. The grammar is held here: the library takes parts of vectors for a score of
 * 0, and the last of two values of a metric for the one that counts.
 */
export function baseScoreTenths(vector: string): number | undefined {
  return vector.length > MAX_VECTOR ? undefined : scoreOnce(vector);
}

function scoreOf(vector: string): number | undefined {
  const grammar = GRAMMARS.find(({ prefix }) => vector.startsWith(prefix));
  if (grammar === undefined) return undefined;
  const base = baseOf(vector.slice(grammar.prefix.length), grammar);
  const score = base === undefined ? undefined : grammar.score(`${grammar.prefix}${base}`);
  return typeof score === 'number' && Number.isFinite(score) ? Math.round(score * 10) : undefined;
}

/** The base metrics of a vector, each once and all of them; undefined where anything in it is not of the version. */
function baseOf(text: string, grammar: Grammar): string | undefined {
  const seen = new Map<string, string>();
  for (const part of text.split('/')) {
    const [metric = '', value = ''] = part.split(':');
    if (seen.has(metric) || !isMetric(part, grammar)) return undefined;
    seen.set(metric, value);
  }
  const metrics = Object.keys(grammar.base);
  return metrics.every((metric) => seen.has(metric))
    ? metrics.map((metric) => `${metric}:${seen.get(metric)}`).join('/')
    : undefined;
}

function isMetric(part: string, { base, other }: Grammar): boolean {
  const [metric = '', value = '', ...rest] = part.split(':');
  if (rest.length > 0) return false;
  const values = Object.hasOwn(base, metric) ? base[metric] : undefined;
  return (values?.includes(value) === true && value.length === 1) || other.test(part);
}
