// SPDX-License-Identifier: Apache-2.0
import { type Arguments, DirectiveReader, type Flags, NO_FLAGS, pad } from './directive.ts';
import { binary, exactDigits, exponential, fixed, general, hexadecimal, roundDigits } from './float.ts';
import { formatBigInteger, formatInteger } from './integer.ts';
import { formatText } from './text.ts';

/** What Go's formatting tells apart. Anything else is text before it is formatted. */
export type Argument =
  | { readonly type: 'int64'; readonly value: bigint }
  | { readonly type: '*big.Int'; readonly value: bigint }
  | { readonly type: 'float64'; readonly value: number }
  | { readonly type: 'string'; readonly value: string };

/** A text that became longer than it may. */
export class TooLong extends Error {}

/** What no message needs more of; a width alone can ask for a million. */
const MAX_LENGTH = 1024 * 1024;

/**
 * Formats as Go's fmt.Sprintf does, also where format and arguments do not fit: a message that is wrong in a detail is still a
 * message. Throws `TooLong`.
 *
 * sprintf('%05.2f of %v, %d', [float 3.14159, text 'a']) -> '03.14 of a, %!d(MISSING)'
 */
export function sprintf(format: string, args: readonly Argument[]): string {
  const reader = new DirectiveReader(format, argumentsOf(args));
  const parts: string[] = [];
  let length = 0;
  const add = (text: string): void => {
    length += text.length;
    if (length > MAX_LENGTH) throw new TooLong(`sprintf makes a text of more than ${MAX_LENGTH} characters`);
    parts.push(text);
  };
  let place = { at: 0, argument: 0 };
  for (let percent = format.indexOf('%'); percent !== -1; percent = format.indexOf('%', place.at)) {
    add(format.slice(place.at, percent));
    const directive = reader.read({ at: percent + 1, argument: place.argument });
    add(directive.complaint);
    const isUsed = isArgumentUsed(directive, args);
    add(isUsed ? formatArgument(args[directive.argument], directive) : withoutArgument(directive));
    place = { at: directive.next, argument: directive.argument + (isUsed ? 1 : 0) };
  }
  add(format.slice(place.at));
  if (!reader.isReordered && place.argument < args.length) add(extra(args.slice(place.argument)));
  return parts.join('');
}

type Directive = ReturnType<DirectiveReader['read']>;

function argumentsOf(args: readonly Argument[]): Arguments {
  return {
    count: args.length,
    whole: (index) => {
      const found = args[index];
      return found?.type === 'int64' ? Number(found.value) : undefined;
    },
  };
}

function isArgumentUsed({ verb, isBadIndex, argument }: Directive, args: readonly Argument[]): boolean {
  return verb !== undefined && verb !== '%' && !isBadIndex && argument < args.length;
}

function withoutArgument({ verb, isBadIndex }: Directive): string {
  if (verb === undefined) return '%!(NOVERB)';
  if (verb === '%') return '%';
  return `%!${verb}(${isBadIndex ? 'BADINDEX' : 'MISSING'})`;
}

function formatArgument(arg: Argument | undefined, { verb, flags }: Directive): string {
  if (arg === undefined || verb === undefined) return '';
  if (verb === 'T') return formatText(arg.type, 's', flags) ?? '';
  if (verb === 'p') return badVerb(arg, verb, flags);
  return formatBy(arg, verb, flags) ?? badVerb(arg, verb, flags);
}

function formatBy(arg: Argument, verb: string, flags: Flags): string | undefined {
  if (arg.type === 'int64') return formatInteger(arg.value, verb, flags);
  if (arg.type === '*big.Int') return formatBigInteger(arg.value, verb, flags);
  return arg.type === 'float64' ? formatFloat(arg.value, verb, flags) : formatText(arg.value, verb, flags);
}

/** The verb is not for this type: both are told, and the value. */
function badVerb(arg: Argument, verb: string, flags: Flags): string {
  return `%!${verb}(${arg.type}=${formatBy(arg, 'v', flags) ?? ''})`;
}

function extra(args: readonly Argument[]): string {
  return `%!(EXTRA ${args.map((arg) => `${arg.type}=${formatBy(arg, 'v', NO_FLAGS) ?? ''}`).join(', ')})`;
}

function formatFloat(value: number, verb: string, flags: Flags): string | undefined {
  const digits = floatDigits(value, verb, flags.precision);
  if (digits === undefined) return undefined;
  const shown = flags.sharp && verb !== 'b' ? withPoint(digits, verb, flags.precision) : digits;
  const sign = floatSign(value, flags);
  const { width = 0, zero, minus } = flags;
  if (sign !== '' && zero && !minus && width > shown.length + 1) return sign + shown.padStart(width - 1, '0');
  return pad(sign + shown, flags);
}

function floatSign(value: number, { plus, space }: Flags): string {
  if (value < 0 || Object.is(value, -0)) return '-';
  if (plus) return '+';
  return space ? ' ' : '';
}

/** Without the sign. */
function floatDigits(value: number, verb: string, precision: number | undefined): string | undefined {
  const decimals = precision ?? 6;
  switch (verb) {
    case 'v':
    case 'g':
      return general(value, { precision, mark: 'e' });
    case 'G':
      return general(value, { precision, mark: 'E' });
    case 'f':
    case 'F':
      return fixed(decimalsOf(value, decimals), decimals);
    case 'e':
    case 'E':
      return exponential(roundDigits(exactDigits(value), decimals + 1), { decimals, mark: verb });
    default:
      return powersOfTwo(value, verb, precision);
  }
}

function powersOfTwo(value: number, verb: string, precision: number | undefined): string | undefined {
  if (verb === 'b') return binary(value);
  if (verb === 'x') return hexadecimal(value, precision);
  return verb === 'X' ? hexadecimal(value, precision).toUpperCase() : undefined;
}

function decimalsOf(value: number, decimals: number): ReturnType<typeof exactDigits> {
  const exact = exactDigits(value);
  return roundDigits(exact, exact.point + decimals);
}

/** `#` keeps the point, and of %g the zeros after it. */
function withPoint(text: string, verb: string, precision: number | undefined): string {
  const [, number = '', power = ''] = /^(.*?)([ep][+-].*)?$/i.exec(text) ?? [];
  const wanted = 'vgGx'.includes(verb) ? (precision ?? 6) : 0;
  const counted = number.replace('.', '').replace(/^0+/, '').length;
  const pointed = number.includes('.') ? number : `${number}.`;
  const had = number === '0' ? 1 : counted;
  return pointed + '0'.repeat(Math.max(wanted - had, 0)) + power;
}

/** The argument that a number of Rego becomes: whole numbers keep all their digits. */
export function numberArgument(text: string): Argument {
  if (!/[.eE]/.test(text)) {
    const value = BigInt(text);
    return BigInt.asIntN(64, value) === value ? { type: 'int64', value } : { type: '*big.Int', value };
  }
  const value = Number(text);
  return Number.isFinite(value) ? { type: 'float64', value } : { type: 'string', value: text };
}
