// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

// Texts that data is to be found in, and texts that only look as if they held some. All are made here: none is of anybody, and a scanner of this
// repository finds no token in it.

/** A text, and what stands in it; undefined: nothing. */
export interface LabelledText {
  readonly text: string;
  readonly detector: string | undefined;
}

type Make = (random: Random) => string;

/** The same numbers each time. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 to below `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * end);
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new Error('an empty list');
    return found;
  }

  /** So many characters of an alphabet. */
  text(alphabet: string, length: number): string {
    return Array.from({ length }, () => alphabet[this.below(alphabet.length)]).join('');
  }
}

const DIGITS = '0123456789';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const WORD = LOWER + UPPER + DIGITS;
const HEX = '0123456789abcdef';
/** What scanners look for, from parts, as tokens are. */
const KEY = ['PRIVATE', 'KEY'].join(' ');

function grouped(text: string, size: number, separator: string): string {
  return (text.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).join(separator);
}

function luhnDigit(digits: string): string {
  const sum = digits
    .split('')
    .toReversed()
    .reduce((total, digit, index) => {
      const doubled = index % 2 === 0 ? Number(digit) * 2 : Number(digit);
      return total + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
  return String((10 - (sum % 10)) % 10);
}

function card(random: Random): string {
  const [prefix, length] = random.pick([
    ['4', 16],
    ['51', 16],
    ['55', 16],
    ['2221', 16],
    ['2720', 16],
    ['6011', 16],
    ['3530', 16],
    ['34', 15],
    ['37', 15],
    ['300', 14],
    ['38', 14],
  ] as const);
  const body = prefix + random.text(DIGITS, length - prefix.length - 1);
  const whole = body + luhnDigit(body);
  const separator = random.pick(['', ' ', '-']);
  if (length === 16) return grouped(whole, 4, separator);
  return [whole.slice(0, 4), whole.slice(4, 10), whole.slice(10)].join(separator);
}

function remainder(digits: string, by: number): number {
  return digits.split('').reduce((rest, digit) => (rest * 10 + Number(digit)) % by, 0);
}

function iban(random: Random): string {
  const [country, body] = random.pick([
    ['DE', random.text(DIGITS, 18)],
    ['NL', random.text(UPPER, 4) + random.text(DIGITS, 10)],
    ['GB', random.text(UPPER, 4) + random.text(DIGITS, 14)],
    ['FR', random.text(DIGITS, 10) + random.text(UPPER + DIGITS, 11) + random.text(DIGITS, 2)],
    ['ES', random.text(DIGITS, 20)],
    ['CH', random.text(DIGITS, 17)],
    ['NO', random.text(DIGITS, 11)],
    ['MT', random.text(UPPER, 4) + random.text(DIGITS, 23)],
  ] as const);
  const written = `${body}${country}00`.replaceAll(/[A-Z]/g, (one) => String(one.charCodeAt(0) - 55));
  const check = String(98 - remainder(written, 97)).padStart(2, '0');
  return grouped(`${country}${check}${body}`, 4, random.pick(['', ' ']));
}

function email(random: Random): string {
  const [first, last] = [random.text(LOWER, 5), random.text(LOWER, 7)];
  const local = random.pick([`${first}.${last}`, `${first}+tag`, `${first}${random.text(DIGITS, 2)}`]);
  return `${local}@${random.text(LOWER, 6)}.${random.pick(['com', 'io', 'co.uk', 'de', 'berlin'])}`;
}

function phone(random: Random): string {
  const n = (length: number) => random.text('23456789', length);
  return random.pick([
    `+1-${n(3)}-${n(3)}-${n(4)}`,
    `(${n(3)}) ${n(3)}-${n(4)}`,
    `+49 ${n(3)} ${n(3)} ${n(4)}`,
    `+44 20 ${n(4)} ${n(4)}`,
    `+33 ${n(1)} ${n(2)} ${n(2)} ${n(2)} ${n(2)}`,
    `+4917${n(9)}`,
  ]);
}

/** Put together from parts: none of them stands here as a scanner looks for it. */
function token(random: Random): string {
  const long = (length: number) => random.text(WORD, length);
  const made = [
    ['AK', 'IA', random.text(`${UPPER}234567`, 16)],
    ['AI', 'za', long(35)],
    ['gh', 'p_', long(36)],
    ['github', '_pat_', `${long(22)}_${long(59)}`],
    ['np', 'm_', long(36)],
    ['h', 'f_', long(34)],
    ['dop', '_v1_', random.text(HEX, 64)],
    ['gl', 'pat-', long(20)],
    ['xo', 'xb-', `${random.text(DIGITS, 12)}-${long(24)}`],
    ['S', 'G.', `${long(22)}.${long(43)}`],
    ['sk', '_live_', long(32)],
    ['s', 'k-proj-', long(64)],
    ['s', 'k-ant-', `api03-${long(93)}`],
    ['Account', 'Key=', `${long(86)}==`],
  ];
  return random.pick(made).join('');
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function jwt(random: Random): string {
  const head = { alg: random.pick(['HS256', 'RS256', 'ES256']), typ: 'JWT' };
  return [part(head), part({ sub: random.text(WORD, 8), exp: 1_900_000_000 }), random.text(WORD, 43)].join(
    '.',
  );
}

function privateKey(random: Random): string {
  const kind = random.pick(['', 'RSA ', 'EC ', 'OPENSSH ', 'ENCRYPTED ', 'DSA ']);
  return `-----BEGIN ${kind}${KEY}-----\n${grouped(random.text(WORD, 128), 64, '\n')}\n`;
}

function cpfDigit(so: string): number {
  const rest =
    so.split('').reduce((sum, digit, index) => sum + Number(digit) * (so.length + 1 - index), 0) % 11;
  return rest < 2 ? 0 : 11 - rest;
}

function cpf(random: Random): string {
  const digits = random.text(DIGITS, 9);
  const first = cpfDigit(digits);
  const whole = `${digits}${first}${cpfDigit(`${digits}${first}`)}`;
  return `${grouped(whole.slice(0, 9), 3, '.')}-${whole.slice(9)}`;
}

function dni(random: Random): string {
  const digits = random.text(DIGITS, 8);
  return `${digits}${'TRWAGMYFPDXBNJZSQVHLCKE'[Number(digits) % 23]}`;
}

function nir(random: Random): string {
  const month = String(1 + random.below(12)).padStart(2, '0');
  const digits = `${random.pick(['1', '2'])}${random.text(DIGITS, 2)}${month}${random.text(DIGITS, 8)}`;
  return `${digits}${String(97 - remainder(digits, 97)).padStart(2, '0')}`;
}

function ssn(random: Random): string {
  return `${100 + random.below(566)}-${10 + random.below(89)}-${1000 + random.below(8999)}`;
}

const POSITIVE: Readonly<Record<string, Make>> = {
  'credit-card': card,
  iban,
  email,
  phone,
  'private-key': privateKey,
  'cloud-token': token,
  jwt,
  'national-id': (random) => random.pick([cpf, dni, nir, ssn])(random),
};

/** What stands in configuration all the time. */
const NEGATIVE: readonly Make[] = [
  (r) => [8, 4, 4, 4, 12].map((length) => r.text(HEX, length)).join('-'),
  (r) => `sha256:${createHash('sha256').update(r.text(WORD, 8)).digest('hex')}`,
  (r) => r.text(HEX, 40),
  (r) => String(1_600_000_000_000 + r.below(300_000_000_000)),
  (r) => `order ${r.text(DIGITS, 16)}`,
  (r) => `4${r.text(DIGITS, 15)}`,
  (r) => `trace=${r.text(DIGITS, 19)}`,
  (r) => `978${r.text(DIGITS, 10)}`,
  (r) => {
    const body = `35${r.text(DIGITS, 12)}`;
    return `imei ${body}${luhnDigit(body)}`;
  },
  (r) => `${r.below(20)}.${r.below(20)}.${r.below(20)}+2026${r.text(DIGITS, 10)}`,
  (r) => `registry.acme.io/${r.text(LOWER, 6)}@sha256:${r.text(HEX, 64)}`,
  (r) => `git@github.com:${r.text(LOWER, 6)}/${r.text(LOWER, 8)}.git`,
  (r) => `postgres://${r.text(LOWER, 5)}:$(PASSWORD)@${r.text(LOWER, 4)}.db.acme.io:5432/${r.text(LOWER, 4)}`,
  (r) => `${r.text(LOWER, 6)}@example.com`,
  (r) => `icon@${1 + r.below(3)}x.png`,
  (r) => `@types/${r.text(LOWER, 6)}@${r.below(30)}.${r.below(30)}.${r.below(9)}`,
  (r) => `${r.text(LOWER, 8)}@${r.text(LOWER, 6)}.svc.cluster.local`,
  (r) => `10.${r.below(255)}.${r.below(255)}.${r.below(255)}:${1024 + r.below(60_000)}`,
  (r) =>
    `2026-${String(1 + r.below(12)).padStart(2, '0')}-${String(1 + r.below(28)).padStart(2, '0')}T0${r.below(9)}:00:00+0200`,
  (r) => `-----BEGIN ${r.pick(['CERTIFICATE', 'PUBLIC KEY', 'RSA PUBLIC KEY'])}-----\n${r.text(WORD, 64)}\n`,
  (r) => r.text(WORD + '+/', 88),
  (r) => ['AK', 'IA', 'X'.repeat(16)].join('').slice(0, 20 - r.below(1)),
  (r) => `sk_test_${r.text(WORD, 24)}`,
  (r) => `eyJ${r.text(WORD, 20)}.${r.text(WORD, 20)}`,
  (r) => `DE${r.text(DIGITS, 20)}`,
  (r) => `FR${r.text(DIGITS, 2)} ${grouped(r.text(DIGITS, 20), 4, ' ')}`,
  (r) => `SKU ${r.text(UPPER, 2)}${r.text(DIGITS, 2)}${r.text(UPPER + DIGITS, 12)}`,
  (r) => `${r.text(DIGITS, 3)}-${r.text(DIGITS, 2)}-${r.text(DIGITS, 3)}`,
  (r) => `9${r.text(DIGITS, 2)}-${r.text(DIGITS, 2)}-${r.text(DIGITS, 4)}`,
  (r) => `${r.text(DIGITS, 8)}${r.pick(UPPER.split(''))}`,
  (r) => `part ${r.text(DIGITS, 3)}.${r.text(DIGITS, 3)}.${r.text(DIGITS, 3)}-${r.text(DIGITS, 2)}`,
  (r) => `+${r.below(99)} -${r.below(99)} lines`,
  (r) => `0 ${r.below(24)} * * ${r.below(7)}`,
  (r) => `cpu ${r.below(4000)}m, memory ${r.below(4096)}Mi`,
  (r) =>
    `{"panels":[{"id":${r.below(99)},"gridPos":{"h":8,"w":12},"targets":[{"expr":"sum(rate(http_total[5m]))"}]}]}`,
  (r) =>
    `level=info ts=${1_700_000_000 + r.below(99_999_999)}.${r.text(DIGITS, 6)} msg="started in ${r.below(900)}ms"`,
];

const CONTEXTS: readonly ((found: string) => string)[] = [
  (found) => found,
  (found) => `please check ${found}.`,
  (found) => `{"value": "${found}"}`,
  (found) => `KEY=${found}\nOTHER=1`,
  (found) => `12 of them, ${found}, and no more`,
];

/** Texts with each of what is to be found, and texts with nothing: the same each time. */
export function dlpCorpus(each: number): readonly LabelledText[] {
  const random = new Random(20_261_122);
  const texts: LabelledText[] = [];
  for (const [detector, make] of Object.entries(POSITIVE)) {
    for (let index = 0; index < each; index += 1)
      texts.push({ detector, text: random.pick(CONTEXTS)(make(random)) });
  }
  for (const make of NEGATIVE) {
    for (let index = 0; index < each; index += 1)
      texts.push({ detector: undefined, text: random.pick(CONTEXTS)(make(random)) });
  }
  return texts;
}
