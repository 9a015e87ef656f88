// SPDX-License-Identifier: Apache-2.0
import { Cron } from 'croner';

/** When something falls due: a cron line, and the time zone that it is read in. */
export interface CronLine {
  /** Five fields, or a macro such as `@daily`. */
  readonly cron: string;
  /** IANA name. */
  readonly timeZone: string;
}

/** Instants that `startsBetween` finds at most. */
export const MAX_COUNTED = 20;

/**
 * The first instant after `after` at which the line falls due; undefined when none ever does.
 *
 * Where clocks are put forward, a line without `*` or step in minute and hour that falls into the gap is due when the gap ends;
 * where they are put back, it is due once. A line with a `*` or step there goes by the clock: it skips the gap, and is due in
 * both of the two hours.
 *
 * @throws Error when `problemOf` finds one.
 */
export function nextStart(line: CronLine, after: Date): Date | undefined {
  return parse(line).nextRun(after) ?? undefined;
}

/**
 * Instants after `after` and up to `until` at which the line falls due, the last `MAX_COUNTED` of them. They are the
 * same as those of `nextStart`. Each costs a part of a millisecond, so more than two are looked for only if there are.
 */
export function startsBetween(line: CronLine, after: Date, until: Date): readonly Date[] {
  const cron = parse(line);
  // What is found is before the reference, and `until` may be due itself.
  const reference = new Date(until.getTime() + 1000);
  const find = (count: number) =>
    cron.previousRuns(count, reference).filter((one) => one > after && one <= until);
  const last = find(3);
  return (last.length < 2 ? last : find(MAX_COUNTED + 1)).slice(0, MAX_COUNTED).toReversed();
}

/** What was found of lines, as that a day never comes takes long to find out. Of this process alone: the next one may know other time zones. */
const judged = new Map<string, string | undefined>();
const MAX_JUDGED = 10_000;

/** Why nothing can be started by the line: the field, what was found, and what would pass. Undefined when something can. */
export function problemOf(line: CronLine, now: Date): string | undefined {
  const key = `${zoneOf(line.timeZone) ?? line.timeZone} ${line.cron}`;
  if (judged.has(key)) return judged.get(key);
  if (judged.size >= MAX_JUDGED) judged.clear();
  const problem = findProblem(line, now);
  judged.set(key, problem);
  return problem;
}

function findProblem(line: CronLine, now: Date): string | undefined {
  if (zoneOf(line.timeZone) === undefined) {
    return `spec.schedule.timeZone: found ${line.timeZone}; allowed are names of the IANA time zone database, such as Europe/Berlin, or UTC`;
  }
  const found = `spec.schedule.cron: found ${line.cron}`;
  try {
    if (nextStart(line, now) !== undefined) return undefined;
    return `${found}, which never falls due; allowed are days that there are, such as 28 for February`;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    return `${found}: ${why}; allowed are five fields, such as 30 6 * * 1-5, with ranges that end after they begin and steps within the field, or @hourly, @daily and the like`;
  }
}

/** `?` is another way to write `*`, as Kubernetes has it; the library has another meaning for it. */
function parse({ cron, timeZone }: CronLine): Cron {
  return new Cron(cron.replaceAll('?', '*'), {
    // The library keeps a formatter for each spelling that it is given, for good.
    timezone: zoneOf(timeZone) ?? timeZone,
    mode: '5-part',
    fixedTimeRule: 'no-wildcard',
    // `5/15`, from 5 on in steps of 15, is read by Kubernetes too.
    sloppyRanges: true,
  });
}

/** What was found of names: letters may be large or small, so there are thousands of spellings of each. */
const zones = new Map<string, string | undefined>();
const MAX_ZONES = 1000;

/** The one name of a time zone, however it is spelt; undefined where there is none of that name. */
export function zoneOf(name: string): string | undefined {
  if (zones.has(name)) return zones.get(name);
  if (zones.size >= MAX_ZONES) zones.clear();
  const zone = findZone(name);
  zones.set(name, zone);
  return zone;
}

function findZone(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
