// SPDX-License-Identifier: Apache-2.0

/** One way of proving who one is that a server asks for: its scheme in lower case, its parameters by their names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const MAX_HEADER = 8192;
const MAX_CHALLENGES = 8;
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`^(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`);
const SCHEME = new RegExp(`^(${TOKEN})(?=$|[ \\t,])`);

/**
 * Reads `WWW-Authenticate`: `Bearer realm="https://auth.example/token",service="registry"`, several of them in one line or more. What
 * cannot be read ends the reading; what came before it counts.
 */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const lines = typeof header === 'string' ? [header] : (header ?? []);
  const text = lines.join(', ');
  return text.length > MAX_HEADER ? [] : challengesIn(text);
}

interface Reading {
  readonly scheme: string;
  readonly parameters: Record<string, string>;
}

function challengesIn(text: string): readonly Challenge[] {
  const found: Reading[] = [];
  let rest = text;
  for (let read = 1; read > 0 && found.length <= MAX_CHALLENGES; rest = rest.slice(read)) {
    rest = rest.replace(/^[\s,]+/, '');
    read = readParameter(rest, found.at(-1)) || readScheme(rest, found);
  }
  return found.slice(0, MAX_CHALLENGES);
}

/** How much was read; 0 if there is none. */
function readParameter(text: string, into: Reading | undefined): number {
  const found = PARAMETER.exec(text);
  if (found === null || into === undefined) return 0;
  const [whole, name = '', quoted, plain = ''] = found;
  // The first counts: a server that says two things is not to choose which of them is looked at.
  into.parameters[name.toLowerCase()] ??= quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
  return whole.length;
}

function readScheme(text: string, into: Reading[]): number {
  const scheme = SCHEME.exec(text)?.[1];
  if (scheme === undefined) return 0;
  into.push({ scheme: scheme.toLowerCase(), parameters: Object.create(null) });
  return scheme.length;
}

/** The address of the next page in a `Link` header: `</v2/a/referrers/x?n=2>; rel="next"`. */
export function nextLink(header: string | readonly string[] | undefined): string | undefined {
  const text = typeof header === 'string' ? header : (header ?? []).join(', ');
  if (text.length > MAX_HEADER) return undefined;
  for (const part of text.split(/,(?=\s*<)/)) {
    const [, target, parameters = ''] = /^\s*<([^<>]*)>(.*)$/.exec(part) ?? [];
    const isNext = parameters.split(';').some((one) => /^\s*rel\s*=\s*"?next"?\s*$/i.test(one));
    if (target !== undefined && isNext) return target;
  }
  return undefined;
}

/** The longest that is waited because somebody asks for it. */
export const MAX_RETRY_AFTER_MS = 15 * 60_000;

/** How long a server asks to be left alone: in seconds, or until an instant. */
export function retryAfterMs(
  header: string | readonly string[] | undefined,
  nowMs: number,
): number | undefined {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim();
  if (text === undefined || text === '' || text.length > 64) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** The media type in a `Content-Type` header, without its parameters. */
export function mediaTypeOf(header: string | readonly string[] | undefined): string | undefined {
  const text = typeof header === 'string' ? header : header?.[0];
  const type = text?.split(';', 1)[0]?.trim().toLowerCase();
  return type === undefined || type === '' || type.length > 255 ? undefined : type;
}
