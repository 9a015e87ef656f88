// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { killChild } from '#operator/runtime/child-process';
import { dieWithParent } from '../tools/die-with-parent.ts';

/** It may compile rules before it serves. */
const STARTS_WITHIN_MS = 180_000;
/** It has something of its own to end. */
const ENDS_WITHIN_MS = 30_000;

/** Where an admission process of somebody else serves. */
export interface Announcement {
  readonly url: string;
  /** A file with the authority of its certificate, PEM. */
  readonly caFile: string;
  /** Whose processor time is counted. */
  readonly pid?: number;
}

/** An admission process of somebody else. */
export interface OtherWebhook {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly pid: number | undefined;
  /** Ends the program that started it, and waits for that. */
  stop(): Promise<void>;
}

/**
 * Runs a program of the caller that starts an admission process, and tells in one line of JSON where it serves. The program ends what it started
 * when its standard input ends, however that happens. What else it says goes to where we say things.
 *
 * @throws Error when it ends before, or says something else.
 */
export async function startOther(
  program: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<OtherWebhook> {
  const command = dieWithParent({ program, args });
  const child = spawn(command.program, command.args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  try {
    const { url, caFile, pid } = announcementIn(await firstLine(child, program));
    return { url, ca: await readFile(caFile, 'utf8'), pid, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

/** One that judges nothing, in a process of its own: what it adds is what it costs to be asked at all. */
export function startEmpty(): Promise<OtherWebhook> {
  return startOther(process.execPath, {}, [join(import.meta.dirname, 'empty-webhook.ts')]);
}

async function firstLine(child: ChildProcess, program: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.once('error', (error) => reject(new Error(`${program} cannot be started: ${error.message}`)));
  child.once('exit', (code, signal) =>
    reject(new Error(`${program} ended with ${code ?? signal} before it told where it serves`)),
  );
  if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
  const late = new AbortController();
  const tooLate = delay(STARTS_WITHIN_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${program} did not tell within ${STARTS_WITHIN_MS / 1000} s where it serves`);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    late.abort();
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const isOver = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  if (isOver) return;
  const ended = once(child, 'exit');
  child.stdin?.end();
  const late = new AbortController();
  const tooLate = delay(ENDS_WITHIN_MS, undefined, { signal: late.signal }).then(
    () => killChild(child),
    () => undefined,
  );
  await ended;
  late.abort();
  await tooLate;
}

const FORM = '{"url": "https://127.0.0.1:PORT/PATH", "caFile": "FILE", "pid": PID}';

/** What a line of such a program says. @throws Error naming the field that is not as it should be. */
export function announcementIn(line: string): Announcement {
  const { url, caFile, pid } = objectIn(line);
  if (typeof url !== 'string' || !url.startsWith('https://')) throw wrong('url', url);
  if (typeof caFile !== 'string' || caFile === '') throw wrong('caFile', caFile);
  if (pid === undefined) return { url, caFile };
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1) throw wrong('pid', pid);
  return { url, caFile, pid };
}

function objectIn(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`the program said ${JSON.stringify(line)}; what is wanted first is a line ${FORM}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`the program said ${line}; what is wanted first is a line ${FORM}`);
  return value as Readonly<Record<string, unknown>>;
}

function wrong(field: string, found: unknown): Error {
  return new Error(`the program said ${JSON.stringify(found)} for ${field}; what is wanted is ${FORM}`);
}
