// SPDX-License-Identifier: Apache-2.0
import { instantOf } from './instant.ts';
import { type LayoutPart, layoutParts, MONTHS, WEEKDAYS } from './time-layout.ts';

/** What has been read so far. Months and days that are not told are the first. */
interface Draft {
  year: number;
  month: number;
  day: number;
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  nanos: number;
  offsetSeconds: number;
  half: 'AM' | 'PM' | undefined;
}

/** How an element reads: what of the text, and what it means; undefined where it cannot be. */
type Read = readonly [RegExp, (draft: Draft, found: string) => boolean];

const inRange =
  (
    key: 'month' | 'day' | 'yearDay' | 'hour' | 'minute' | 'second',
    [least, most]: readonly [number, number],
  ) =>
  (draft: Draft, found: string): boolean => {
    draft[key] = Number(found);
    return draft[key] >= least && draft[key] <= most;
  };

const name =
  (names: readonly string[], use: (draft: Draft, index: number) => void, length?: number) =>
  (draft: Draft, found: string): boolean => {
    const index = names.findIndex((one) => one.slice(0, length).toLowerCase() === found.toLowerCase());
    use(draft, index);
    return index !== -1;
  };

const setMonth = (draft: Draft, index: number): void => void (draft.month = index + 1);
const ignore = (): void => undefined;
const alternatives = (names: readonly string[]): RegExp => new RegExp(`^(?:${names.join('|')})`, 'i');
const short = (names: readonly string[]): readonly string[] => names.map((one) => one.slice(0, 3));

const READS: Readonly<Record<string, Read>> = {
  January: [alternatives(MONTHS), name(MONTHS, setMonth)],
  Jan: [alternatives(short(MONTHS)), name(MONTHS, setMonth, 3)],
  Monday: [alternatives(WEEKDAYS), name(WEEKDAYS, ignore)],
  Mon: [alternatives(short(WEEKDAYS)), name(WEEKDAYS, ignore, 3)],
  2006: [/^[0-9]{4}/, (draft, found) => setYear(draft, Number(found))],
  '06': [/^[0-9]{2}/, (draft, found) => setYear(draft, Number(found) + (Number(found) >= 69 ? 1900 : 2000))],
  '01': [/^[0-9]{2}/, inRange('month', [1, 12])],
  1: [/^[0-9]{1,2}/, inRange('month', [1, 12])],
  '02': [/^[0-9]{2}/, inRange('day', [1, 31])],
  _2: [/^ ?[0-9]{1,2}/, inRange('day', [1, 31])],
  2: [/^[0-9]{1,2}/, inRange('day', [1, 31])],
  '002': [/^[0-9]{3}/, inRange('yearDay', [1, 366])],
  __2: [/^ {0,2}[0-9]{1,3}/, inRange('yearDay', [1, 366])],
  15: [/^[0-9]{1,2}/, inRange('hour', [0, 23])],
  '03': [/^[0-9]{2}/, inRange('hour', [0, 12])],
  3: [/^[0-9]{1,2}/, inRange('hour', [0, 12])],
  '04': [/^[0-9]{2}/, inRange('minute', [0, 59])],
  4: [/^[0-9]{1,2}/, inRange('minute', [0, 59])],
  '05': [/^[0-9]{2}(?:[.,][0-9]+)?/, setSecond],
  5: [/^[0-9]{1,2}(?:[.,][0-9]+)?/, setSecond],
  PM: [/^(?:AM|PM)/, (draft, found) => setHalf(draft, found)],
  pm: [/^(?:am|pm)/, (draft, found) => setHalf(draft, found.toUpperCase())],
  MST: [/^(?:UTC|GMT[+-][0-9]{1,2}|[A-Z]{3,4}|[+-][0-9]{2})/, setZone],
};

/** The time that a text stands for in a layout of Go, in nanoseconds since 1970; undefined where it does not fit. */
export function parseTime(layout: string, text: string): bigint | undefined {
  const draft: Draft = {
    year: 0,
    month: 0,
    day: 0,
    yearDay: 0,
    hour: 0,
    minute: 0,
    second: 0,
    nanos: 0,
    offsetSeconds: 0,
    half: undefined,
  };
  let rest: string | undefined = text;
  const parts = layoutParts(layout);
  for (const [index, part] of parts.entries()) {
    rest = rest === undefined ? undefined : take(draft, rest, { part, next: parts[index + 1] });
  }
  return rest === '' ? finish(draft) : undefined;
}

interface Step {
  readonly part: LayoutPart;
  readonly next: LayoutPart | undefined;
}

/** What is left of the text after one part. */
function take(draft: Draft, rest: string, { part, next }: Step): string | undefined {
  if (!part.isElement) return skip(rest, part.text);
  if (/^[.,]/.test(part.text)) return takeFraction(draft, rest, part.text);
  if (/^[-Z]07/.test(part.text)) return takeOffset(draft, rest, part.text);
  return takeElement(draft, rest, { element: part.text, isFractionNext: isFraction(next) });
}

function isFraction(part: LayoutPart | undefined): boolean {
  return part?.isElement === true && /^[.,]/.test(part.text);
}

/** A fraction may follow seconds unasked, but not where the layout has one. */
function takeElement(
  draft: Draft,
  rest: string,
  { element, isFractionNext }: { readonly element: string; readonly isFractionNext: boolean },
): string | undefined {
  const [pattern, use] = READS[element] ?? [];
  const found = pattern?.exec(rest)?.[0];
  if (found === undefined || use === undefined) return undefined;
  const used = isFractionNext ? found.replace(/[.,].*$/, '') : found;
  return use(draft, used.trim()) ? rest.slice(used.length) : undefined;
}

/** Any number of spaces stands for one of the layout. */
function skip(rest: string, text: string): string | undefined {
  const pattern = text.split(/ +/).map((one) => one.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const found = new RegExp(`^${pattern.join(' *')}`).exec(rest)?.[0];
  return found === undefined ? undefined : rest.slice(found.length);
}

function takeFraction(draft: Draft, rest: string, element: string): string | undefined {
  const digits = element[1] === '0' ? `{${element.length - 1}}` : '+';
  const found = new RegExp(`^[.,][0-9]${digits}`).exec(rest)?.[0];
  if (found === undefined) return element[1] === '9' ? rest : undefined;
  draft.nanos = toNanos(found.slice(1));
  return rest.slice(found.length);
}

function takeOffset(draft: Draft, rest: string, element: string): string | undefined {
  if (element.startsWith('Z') && rest.startsWith('Z')) return rest.slice(1);
  const found = offsetPattern(element).exec(rest)?.[0];
  const size = found === undefined ? undefined : offsetSize(found);
  if (found === undefined || size === undefined) return undefined;
  draft.offsetSeconds = found.startsWith('-') ? -size : size;
  return rest.slice(found.length);
}

function offsetPattern(element: string): RegExp {
  const groups = element.replaceAll(/[^0-9]/g, '').length / 2;
  const colon = element.includes(':') ? ':' : '';
  return new RegExp(`^[+-][0-9]{2}(?:${colon}[0-9]{2}){${groups - 1}}`);
}

/** In seconds; undefined where a part is too large. */
function offsetSize(found: string): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = (found.match(/[0-9]{2}/g) ?? []).map(Number);
  const isRight = hours <= 24 && minutes <= 60 && seconds <= 60;
  return isRight ? hours * 3600 + minutes * 60 + seconds : undefined;
}

function setYear(draft: Draft, year: number): boolean {
  draft.year = year;
  return true;
}

function setSecond(draft: Draft, found: string): boolean {
  const [seconds = '', fraction = ''] = found.split(/[.,]/);
  draft.second = Number(seconds);
  draft.nanos = toNanos(fraction);
  return draft.second < 60;
}

function setHalf(draft: Draft, half: string): boolean {
  draft.half = half === 'PM' ? 'PM' : 'AM';
  return true;
}

/** A name of a zone tells no offset, but where it is written in it. */
function setZone(draft: Draft, found: string): boolean {
  const hours = /^GMT([+-][0-9]{1,2})$/.exec(found)?.[1];
  if (hours !== undefined) draft.offsetSeconds = Number(hours) * 3600;
  return Math.abs(Number(hours ?? 0)) < 24;
}

function toNanos(fraction: string): number {
  return Number(fraction.slice(0, 9).padEnd(9, '0'));
}

function finish(draft: Draft): bigint | undefined {
  const { half, yearDay, ...told } = draft;
  const day = { month: told.month || 1, day: told.day || 1 };
  if (yearDay > 0 && told.month === 0) day.day = yearDay;
  else if (day.day > new Date(Date.UTC(told.year === 0 ? 2000 : told.year, day.month, 0)).getUTCDate())
    return undefined;
  return instantOf({ ...told, ...day, hour: hourOf(told.hour, half) });
}

function hourOf(hour: number, half: Draft['half']): number {
  if (half === 'PM' && hour < 12) return hour + 12;
  return half === 'AM' && hour === 12 ? 0 : hour;
}
