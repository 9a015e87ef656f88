// SPDX-License-Identifier: Apache-2.0
import { parseDuration } from '../go-format/duration.ts';
import { type CivilTime, civilTime, instantIn, weekdayOf } from '../go-format/instant.ts';
import { formatTime, NAMED_LAYOUTS, WEEKDAYS } from '../go-format/time-layout.ts';
import { parseTime } from '../go-format/time-parse.ts';
import { isArray, type Value } from '../values/value.ts';
import { type Builtin, type Builtins, fromWhole, ofTexts, wholeOf } from './builtin.ts';

/** Time. What is now is told from outside, once for an evaluation. */
export const TIME_BUILTINS: Builtins = {
  'time.now_ns': (_, { nowNs }) => fromWhole(nowNs),
  'time.parse_rfc3339_ns': ofTexts((text) => toValue(parseTime(layoutOf('RFC3339'), text))),
  'time.parse_ns': ofTexts((layout, text) => toValue(parseTime(layoutOf(layout), text))),
  'time.parse_duration_ns': ofTexts((text) => toValue(parseDuration(text))),
  'time.format': ofTime(({ civil, layout }) =>
    formatTime(civil, layoutOf(layout === '' ? 'RFC3339Nano' : layout)),
  ),
  'time.date': ofTime(({ civil }) => [civil.year, civil.month, civil.day]),
  'time.clock': ofTime(({ civil }) => [civil.hour, civil.minute, civil.second]),
  'time.weekday': ofTime(({ civil }) => WEEKDAYS[weekdayOf(civil)]),
  'time.add_date': ofTime(({ civil, zone }, rest) => {
    const [years, months, days] = rest.map((one) => wholeOf(one));
    if (years === undefined || months === undefined || days === undefined) return undefined;
    const moved = {
      ...civil,
      year: civil.year + Number(years),
      month: civil.month + Number(months),
      day: civil.day + Number(days),
    };
    return toValue(instantIn(moved, zone));
  }),
  'time.diff': ofTime(({ ns, zone }, [other]) => {
    const second = timeOf(other);
    return second === undefined ? undefined : difference([ns, second.ns], zone);
  }),
};

interface ToldTime {
  readonly ns: bigint;
  readonly zone: string;
  readonly layout: string;
  readonly civil: CivilTime;
}

function ofTime(compute: (time: ToldTime, rest: readonly Value[]) => Value | undefined): Builtin {
  return ([first, ...rest]) => {
    const time = timeOf(first);
    return time === undefined ? undefined : compute(time, rest);
  };
}

/** Nanoseconds, or a list of them, the name of a zone, and a layout. */
function timeOf(value: Value | undefined): ToldTime | undefined {
  const [told, zone = '', layout = ''] = isArray(value) ? value : [value];
  const ns = wholeOf(told);
  if (ns === undefined || BigInt.asIntN(64, ns) !== ns) return undefined;
  if (typeof zone !== 'string' || typeof layout !== 'string') return undefined;
  const civil = civilTime(ns, zone);
  return civil === undefined ? undefined : { ns, zone, layout, civil };
}

function layoutOf(name: string): string {
  return Object.hasOwn(NAMED_LAYOUTS, name) ? (NAMED_LAYOUTS[name] ?? name) : name;
}

function toValue(ns: bigint | undefined): Value | undefined {
  return ns === undefined ? undefined : fromWhole(ns);
}

/** Years, months, days, hours, minutes and seconds between two times, as a calendar counts them. */
function difference(times: readonly bigint[], zone: string): Value | undefined {
  const [early, late] = times.toSorted((a, b) => (a < b ? -1 : 1)).map((ns) => civilTime(ns, zone));
  if (early === undefined || late === undefined) return undefined;
  const parts = [
    late.year - early.year,
    late.month - early.month,
    late.day - early.day,
    late.hour - early.hour,
    late.minute - early.minute,
    late.second - early.second,
  ];
  const daysOfMonth = new Date(Date.UTC(early.year, early.month, 0)).getUTCDate();
  const sizes = [0, 12, daysOfMonth, 24, 60, 60];
  // What is below zero takes one of the next larger.
  for (let index = 5; index > 0; index -= 1) {
    if ((parts[index] ?? 0) >= 0) continue;
    parts[index] = (parts[index] ?? 0) + (sizes[index] ?? 0);
    parts[index - 1] = (parts[index - 1] ?? 0) - 1;
  }
  return parts;
}
