// SPDX-License-Identifier: Apache-2.0

/** What a text, or bytes, are as JSON; undefined where they are none. */
export function parsed(text: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof text === 'string' ? text : Buffer.from(text).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** A value of others as a message may repeat it: short, and on one line. */
export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 100);
}
