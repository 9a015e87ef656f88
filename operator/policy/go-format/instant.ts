// SPDX-License-Identifier: Apache-2.0

/** A point in time, as clocks at some place show it. */
export interface CivilTime {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanos: number;
  /** From UTC. */
  readonly offsetSeconds: number;
  /** What the zone is called then. */
  readonly zone: string;
}

const NANOS_PER_SECOND = 1_000_000_000n;
const MIN_NS = -(2n ** 63n);
const MAX_NS = 2n ** 63n - 1n;
const CACHED = 64;
const formats = new Map<string, Intl.DateTimeFormat | undefined>();

/** What clocks show at a time, in nanoseconds since 1970; undefined for a zone that is not known. */
export function civilTime(ns: bigint, zone: string): CivilTime | undefined {
  const seconds = floorDiv(ns, NANOS_PER_SECOND);
  const offset = offsetAt(Number(seconds), zone);
  if (offset === undefined) return undefined;
  const local = new Date((Number(seconds) + offset.seconds) * 1000);
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    nanos: Number(ns - seconds * NANOS_PER_SECOND),
    offsetSeconds: offset.seconds,
    zone: offset.name,
  };
}

/** The time at which clocks show this; days and months beyond their number count on. Undefined beyond what 64 bits hold. */
export function instantOf(civil: Omit<CivilTime, 'zone'>): bigint | undefined {
  const date = new Date(0);
  date.setUTCFullYear(civil.year, civil.month - 1, civil.day);
  date.setUTCHours(civil.hour, civil.minute, civil.second);
  if (Number.isNaN(date.getTime())) return undefined;
  const seconds = BigInt(date.getTime() / 1000 - civil.offsetSeconds);
  const ns = seconds * NANOS_PER_SECOND + BigInt(civil.nanos);
  return ns < MIN_NS || ns > MAX_NS ? undefined : ns;
}

/** The time at which clocks of a zone show this. What they show twice, or never, is taken by what held a day before. */
export function instantIn(civil: CivilTime, zone: string): bigint | undefined {
  const guess = instantOf(civil);
  if (guess === undefined) return undefined;
  const offset = offsetAt(Number(floorDiv(guess, NANOS_PER_SECOND)), zone);
  return offset === undefined ? undefined : instantOf({ ...civil, offsetSeconds: offset.seconds });
}

/** The day of the week, from Sunday. */
export function weekdayOf({ year, month, day }: CivilTime): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCDay();
}

/** Which day of its year it is, from 1. */
export function yearDayOf({ year, month, day }: CivilTime): number {
  return Math.round((Date.UTC(year, month - 1, day) - Date.UTC(year, 0, 1)) / 86_400_000) + 1;
}

function offsetAt(
  seconds: number,
  zone: string,
): { readonly seconds: number; readonly name: string } | undefined {
  if (zone === '' || zone === 'UTC' || zone === 'Local') return { seconds: 0, name: 'UTC' };
  const format = formatOf(zone);
  if (format === undefined) return undefined;
  const parts = Object.fromEntries(
    format.formatToParts(seconds * 1000).map(({ type, value }) => [type, value]),
  );
  const number = (type: string): number => Number(parts[type]);
  const shown = Date.UTC(
    number('year'),
    number('month') - 1,
    number('day'),
    number('hour'),
    number('minute'),
    number('second'),
  );
  return { seconds: shown / 1000 - seconds, name: parts['timeZoneName'] ?? zone };
}

function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  if (formats.has(zone)) return formats.get(zone);
  const format = newFormat(zone);
  if (formats.size >= CACHED) formats.clear();
  formats.set(zone, format);
  return format;
}

function newFormat(timeZone: string): Intl.DateTimeFormat | undefined {
  // An offset is no name of a zone to Go.
  if (/^[+-]/.test(timeZone)) return undefined;
  const digits = {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  } as const;
  try {
    return new Intl.DateTimeFormat('en-US', {
      ...digits,
      timeZone,
      timeZoneName: 'short',
      hourCycle: 'h23',
      calendar: 'gregory',
    });
  } catch {
    return undefined;
  }
}

/** floorDiv(-1n, 10n) -> -1n */
function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}
