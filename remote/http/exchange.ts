// SPDX-License-Identifier: Apache-2.0
import { buildConnector, Client, type Dispatcher } from 'undici';
import type { Answer } from '../core/answer.ts';

/** One request over HTTP. */
export interface Exchange {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends it, whatever it waits for. */
  readonly signal: AbortSignal;
}

/** How the endpoint is connected to, and how long that may take. */
export interface ConnectOptions {
  readonly connectTimeoutMs: number;
  /** Certificates in PEM that vouch for it, instead of those that the public trusts. */
  readonly ca?: string | undefined;
  readonly serverName?: string | undefined;
}

/** The largest answer that is read, in bytes: whatever is larger goes by reference. */
export const MAX_ANSWER_BYTES = 2 * 1024 * 1024;

/** Faults of a network that may pass by themselves. All others at a connection are of TLS, or of an address. */
const PASSING: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);

/**
 * Sends one request on a connection of its own, so that it is known whether anything was sent: on one that was kept open, nobody can tell whether the
 * endpoint had closed it before or after. Follows no redirection, and takes no answer that is too large.
 */
export async function exchange(request: Exchange, options: ConnectOptions): Promise<Answer> {
  const { origin, pathname, search } = new URL(request.url);
  const { client, isConnected } = connectTo(origin, options);
  const { method, headers, body, signal } = request;
  try {
    const sent = { path: pathname + search, method, headers, signal, ...(body !== undefined && { body }) };
    return await answered(await client.request(sent));
  } catch (error) {
    const why = describe(error);
    if (isConnected()) return { kind: 'lost', why };
    return { kind: 'unsent', why, passes: signal.aborted || PASSING.has(codeOf(error)) };
  } finally {
    // Whatever else the endpoint has to say on it.
    await client.destroy();
  }
}

function connectTo(origin: string, { connectTimeoutMs, ca, serverName }: ConnectOptions) {
  let isConnected = false;
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    ...(ca !== undefined && { ca }),
    ...(serverName !== undefined && { servername: serverName }),
    allowH2: false,
  });
  const client = new Client(origin, {
    connect: (options, callback) =>
      connect(options, (...result) => {
        isConnected = result[0] === null;
        callback(...result);
      }),
    // The signal of the request bounds all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
  return { client, isConnected: () => isConnected };
}

async function answered({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      return { kind: 'unread', why: `the answer has more than ${MAX_ANSWER_BYTES} bytes` };
    }
    chunks.push(chunk);
  }
  const retryAfter = headers['retry-after'];
  const text = Buffer.concat(chunks).toString('utf8');
  return {
    kind: 'answered',
    status: statusCode,
    body: text,
    ...(typeof retryAfter === 'string' && { retryAfter }),
  };
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (typeof code === 'string') return code;
  // Of several addresses that were tried, none was reached.
  return error instanceof AggregateError ? codeOf(error.errors[0]) : '';
}

/** What went wrong, in words without any content of the request. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  if (!(error instanceof Error)) return 'for no reason that is known';
  return error.name === 'TimeoutError' ? 'it took too long' : error.message;
}
