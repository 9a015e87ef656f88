// SPDX-License-Identifier: Apache-2.0
import { type CivilTime, weekdayOf, yearDayOf } from './instant.ts';

/** Layouts that have a name. */
export const NAMED_LAYOUTS: Readonly<Record<string, string>> = {
  ANSIC: 'Mon Jan _2 15:04:05 2006',
  UnixDate: 'Mon Jan _2 15:04:05 MST 2006',
  RubyDate: 'Mon Jan 02 15:04:05 -0700 2006',
  RFC822: '02 Jan 06 15:04 MST',
  RFC822Z: '02 Jan 06 15:04 -0700',
  RFC850: 'Monday, 02-Jan-06 15:04:05 MST',
  RFC1123: 'Mon, 02 Jan 2006 15:04:05 MST',
  RFC1123Z: 'Mon, 02 Jan 2006 15:04:05 -0700',
  RFC3339: '2006-01-02T15:04:05Z07:00',
  RFC3339Nano: '2006-01-02T15:04:05.999999999Z07:00',
};

/** From January. */
export const MONTHS =
  'January February March April May June July August September October November December'.split(' ');
/** From Sunday. */
export const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** What stands for a part of a time in Go's layouts, which write out one certain second. */
const ELEMENT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_2(?!006)|3|4|5|PM|pm|[-Z]07(?::00:00|0000|:00|00)?|[.,](?:0+|9+)(?![0-9])/g;

/** A piece of a layout: an element, or text that stands for itself. */
export interface LayoutPart {
  readonly isElement: boolean;
  readonly text: string;
}

/** The elements of a layout, and what is between them. */
export function layoutParts(layout: string): readonly LayoutPart[] {
  const parts: LayoutPart[] = [];
  let at = 0;
  for (const match of layout.matchAll(ELEMENT)) {
    if (match.index > at) parts.push({ isElement: false, text: layout.slice(at, match.index) });
    parts.push({ isElement: true, text: match[0] });
    at = match.index + match[0].length;
  }
  return at < layout.length ? [...parts, { isElement: false, text: layout.slice(at) }] : parts;
}

/** A time as Go's Format writes it. */
export function formatTime(time: CivilTime, layout: string): string {
  return layoutParts(layout)
    .map(({ isElement, text }) => (isElement ? formatElement(time, text) : text))
    .join('');
}

const zeros = (value: number, digits: number): string => String(value).padStart(digits, '0');
const hour12 = ({ hour }: CivilTime): number => hour % 12 || 12;

const ELEMENTS: Readonly<Record<string, (time: CivilTime) => string>> = {
  January: ({ month }) => MONTHS[month - 1] ?? '',
  Jan: ({ month }) => (MONTHS[month - 1] ?? '').slice(0, 3),
  Monday: (time) => WEEKDAYS[weekdayOf(time)] ?? '',
  Mon: (time) => (WEEKDAYS[weekdayOf(time)] ?? '').slice(0, 3),
  MST: ({ zone }) => zone,
  2006: ({ year }) => zeros(year, 4),
  '06': ({ year }) => zeros(year % 100, 2),
  '01': ({ month }) => zeros(month, 2),
  1: ({ month }) => String(month),
  '02': ({ day }) => zeros(day, 2),
  _2: ({ day }) => String(day).padStart(2),
  2: ({ day }) => String(day),
  '002': (time) => zeros(yearDayOf(time), 3),
  __2: (time) => String(yearDayOf(time)).padStart(3),
  15: ({ hour }) => zeros(hour, 2),
  '03': (time) => zeros(hour12(time), 2),
  3: (time) => String(hour12(time)),
  '04': ({ minute }) => zeros(minute, 2),
  4: ({ minute }) => String(minute),
  '05': ({ second }) => zeros(second, 2),
  5: ({ second }) => String(second),
  PM: ({ hour }) => (hour < 12 ? 'AM' : 'PM'),
  pm: ({ hour }) => (hour < 12 ? 'am' : 'pm'),
};

function formatElement(time: CivilTime, element: string): string {
  const known = ELEMENTS[element];
  if (known !== undefined) return known(time);
  return /^[.,]/.test(element)
    ? formatFraction(time.nanos, element)
    : formatOffset(time.offsetSeconds, element);
}

/** Zeros keep all digits, nines leave out those that are zero at the end. */
function formatFraction(nanos: number, element: string): string {
  const digits = zeros(nanos, 9)
    .slice(0, element.length - 1)
    .padEnd(element.length - 1, '0');
  if (element[1] === '0') return (element[0] ?? '') + digits;
  const kept = digits.replace(/0+$/, '');
  return kept === '' ? '' : (element[0] ?? '') + kept;
}

/** Written as the element is; one with a `Z` is that alone where there is no offset. */
function formatOffset(offset: number, element: string): string {
  if (element.startsWith('Z') && offset === 0) return 'Z';
  const size = Math.abs(offset);
  const parts = [Math.floor(size / 3600), Math.floor(size / 60) % 60, size % 60].map((part) =>
    zeros(part, 2),
  );
  const count = element.replaceAll(/[^0-9]/g, '').length / 2;
  return (offset < 0 ? '-' : '+') + parts.slice(0, count).join(element.includes(':') ? ':' : '');
}
