// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';

/** What became of records that were sent. */
export type Answer =
  /** They are kept there. */
  | { readonly kind: 'taken' }
  /** They will never be taken as they are. */
  | { readonly kind: 'refused'; readonly why: string }
  /** They may be taken later. */
  | { readonly kind: 'unavailable'; readonly why: string };

/** Where records are sent to. */
export interface ArchiveClient {
  /** Sends lines of JSON as one request. Never rejects. */
  send(lines: readonly string[]): Promise<Answer>;
  close(): Promise<void>;
}

/** How an archive is reached. */
export interface ArchiveTarget {
  /** Takes lines of JSON by POST, and answers with 2xx when it has them. */
  readonly url: string;
  /** Folder with `token` and `ca.crt`, each if it is there; read for every request, so that they can change. */
  readonly folder?: string | undefined;
  /** For the whole answer. Default 10 s. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** Nobody reads what it says: so much is let pass, so that the connection can be used again. */
const MAX_ANSWER_BYTES = 65_536;
const CONNECTIONS = 4;
/** Answers of 4xx that speak of the moment, and not of the records: who we are may be mended, too. */
const PASSING: ReadonlySet<number> = new Set([401, 403, 404, 408, 425, 429]);

/** A client of an archive, over connections of its own. Redirects are not followed: they could lead the token elsewhere. */
export function createArchiveClient({ url, folder, timeoutMs = TIMEOUT_MS }: ArchiveTarget): ArchiveClient {
  let known: { readonly ca: string | undefined; readonly agent: Agent } | undefined;
  const agentFor = (ca: string | undefined): Agent => {
    if (known !== undefined && known.ca === ca) return known.agent;
    void known?.agent.close();
    const connect = ca === undefined ? {} : { ca };
    known = { ca, agent: new Agent({ connections: CONNECTIONS, allowH2: false, connect }) };
    return known.agent;
  };
  return {
    async send(lines) {
      try {
        const [token, ca] = await Promise.all(['token', 'ca.crt'].map((name) => secretIn(folder, name)));
        const { statusCode, body } = await request(url, {
          method: 'POST',
          dispatcher: agentFor(ca),
          headers: {
            'content-type': 'application/x-ndjson',
            ...(token !== undefined && { authorization: `Bearer ${token.trim()}` }),
          },
          body: lines.map((line) => `${line}\n`).join(''),
          signal: AbortSignal.timeout(timeoutMs),
        });
        await body.dump({ limit: MAX_ANSWER_BYTES });
        return answerOf(statusCode);
      } catch (error) {
        return { kind: 'unavailable', why: wordsOf(error) };
      }
    },
    close: async () => known?.agent.close(),
  };
}

function answerOf(status: number): Answer {
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const why = `it answered ${status}`;
  const isRefusal = status >= 400 && status < 500 && !PASSING.has(status);
  return { kind: isRefusal ? 'refused' : 'unavailable', why };
}

/** What a file of the folder holds; undefined without one. */
async function secretIn(folder: string | undefined, name: string): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Without what was sent: a token is part of that. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : error.name;
}
