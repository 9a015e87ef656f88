// SPDX-License-Identifier: Apache-2.0
// What the pod of a Run of a remote agent runs: it hands the Run on to an endpoint that speaks A2A, and follows it.
import { writeFile } from 'node:fs/promises';
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { follow } from './attempt.ts';
import { shownBy } from './core/credential.ts';
import { failure } from './core/failure.ts';
import { type Ending, terminationText } from './core/said.ts';
import { Secrets } from './core/secrets.ts';
import { FailedError, Peer } from './http/peer.ts';
import { logLines } from './log.ts';
import { readAttempt, readSaying, readText } from './settings.ts';

/** Kept of the time to end, to say how it ended. */
const LAST_WORDS_MS = 1000;

/** Aborts the first signal when the process is told to end, and the second when that time is over. */
function listen(graceMs: number): { readonly stop: AbortSignal; readonly deadline: AbortSignal } {
  const stop = new AbortController();
  const deadline = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) return;
    stop.abort();
    setTimeout(() => deadline.abort(), Math.max(graceMs - LAST_WORDS_MS, graceMs / 2)).unref();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { stop: stop.signal, deadline: deadline.signal };
}

/** Shows the credential as it is in its file, each time that it is asked for. */
function showing({ auth }: RemoteAttempt, secrets: Secrets): () => Promise<Record<string, string>> {
  if (auth === undefined) return async () => ({});
  return async () => {
    const shown = shownBy(auth, await readText(auth.file, 'spec.remote.auth.secretKeyRef'));
    if ('problem' in shown) throw new FailedError('InvalidSettings', shown.problem);
    secrets.add(...shown.secrets);
    const [name, value] = shown.header;
    return { [name]: value };
  };
}

async function attemptIt(secrets: Secrets): Promise<Ending> {
  const attempt = readAttempt(process.env);
  const signals = listen(attempt.graceSeconds * 1000);
  const { serverName, caFile } = attempt.tls ?? {};
  const ca = caFile === undefined ? undefined : await readText(caFile, 'spec.remote.tls');
  const hide = (words: string): string => secrets.hide(words);
  const peer = new Peer({
    attempt,
    connect: { ca, serverName },
    show: showing(attempt, secrets),
    endMs: Date.now() + attempt.timeoutSeconds * 1000,
    hide,
    log: logLines,
  });
  const saying = await readSaying(process.env, attempt);
  return follow({ attempt, saying, peer, ...signals, hide, log: logLines });
}

/** Whatever is thrown is a failure as well: what is written of it holds nothing but our own words. */
function thrown(error: unknown): Ending {
  if (error instanceof FailedError) return { kind: 'failed', failure: error.failure };
  const name = error instanceof Error ? error.name : 'an error';
  return { kind: 'failed', failure: failure('InvalidSettings', `a fault of the program: ${name}`) };
}

async function main(): Promise<void> {
  const secrets = new Secrets();
  const ending = await attemptIt(secrets).catch(thrown);
  const text = terminationText(ending, (words) => secrets.hide(words));
  const path = process.env['NEXUSOS_RESULT_FILE'];
  if (path !== undefined) await writeFile(path, text);
  const how = ending.kind === 'failed' ? ending.failure.kind : ending.kind;
  logLines('ended', { how });
  process.exitCode = ending.kind === 'failed' ? ending.failure.exitCode : 0;
}

await main();
