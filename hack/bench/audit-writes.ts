// SPDX-License-Identifier: Apache-2.0
import { open, stat } from 'node:fs/promises';
import type { Figure } from './report.ts';

/** A write as the API server's audit log has it. */
export interface AuditedWrite {
  readonly verb: string;
  readonly user: string;
  /** Resource and, after a slash, subresource. */
  readonly what: string;
  readonly path: string;
  readonly at: string;
  readonly code: number;
}

const WRITES = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/** Where the audit log ends now; give it to `auditedWrites` to see only what comes after. */
export async function auditPosition(path: string): Promise<number> {
  return (await stat(path)).size;
}

/**
 * Writes in the audit log from byte `from` on, by the user `of` when it is given. Leases do not count: they
 * are renewed whatever happens.
 */
export async function auditedWrites(
  path: string,
  from: number,
  of?: string,
): Promise<readonly AuditedWrite[]> {
  const file = await open(path);
  const writes: AuditedWrite[] = [];
  try {
    // The API server may have been in the middle of a line when the place was taken: that line is of before.
    let isOfBefore = from > 0;
    for await (const line of file.readLines({ start: Math.max(0, from - 1) })) {
      const write = isOfBefore ? undefined : parseWrite(line);
      isOfBefore = false;
      if (write !== undefined && (of === undefined || write.user === of)) writes.push(write);
    }
  } finally {
    await file.close();
  }
  return writes;
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user?: { readonly username?: string };
  readonly requestURI: string;
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
  readonly stageTimestamp: string;
  readonly responseStatus?: { readonly code?: number };
}

function parseWrite(line: string): AuditedWrite | undefined {
  if (!line.endsWith('}')) return undefined;
  const event = JSON.parse(line) as AuditEvent;
  if (event.stage !== 'ResponseComplete' || !WRITES.has(event.verb)) return undefined;
  if (event.objectRef?.resource === 'leases') return undefined;
  return {
    verb: event.verb,
    user: event.user?.username ?? '',
    what: whatOf(event),
    path: event.requestURI,
    at: event.stageTimestamp,
    code: event.responseStatus?.code ?? 0,
  };
}

function whatOf({ objectRef: { resource = '', subresource } = {} }: AuditEvent): string {
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

/** Writes of each kind and writer, the most frequent first; what happens to few Runs only is left out. */
export function sharesOf(writes: readonly AuditedWrite[], count: number): readonly Figure[] {
  const byName = new Map<string, number>();
  for (const write of writes) {
    const name = `${write.verb} ${write.what} by ${write.user.split(':').at(-1) ?? ''}${write.code >= 400 ? `, answered ${write.code}` : ''}`;
    byName.set(name, (byName.get(name) ?? 0) + 1);
  }
  return [...byName]
    .filter(([, found]) => found >= count / 100)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, found]) => ({ name, value: found / count, unit: '' }));
}
