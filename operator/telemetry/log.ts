// SPDX-License-Identifier: Apache-2.0
import { type DestinationStream, type Logger, pino } from 'pino';

/** A structured logger; `child` adds fields to every line. */
export type Log = Logger;

/** Levels, from the most talkative. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * A logger of JSON lines with `level` in words and `time` in RFC 3339. Fields by names that credentials go by are
 * replaced, should one ever slip in.
 */
export function createLog(options: {
  readonly level: LogLevel;
  readonly destination?: DestinationStream;
}): Log {
  const settings = {
    level: options.level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    redact: ['token', 'authorization', 'password', '*.token', '*.authorization', '*.password'],
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
