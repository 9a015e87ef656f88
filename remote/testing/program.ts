// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REMOTE_VARIABLE, type RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { terminationMessage } from '#crds/v1alpha1/run-result';
import { dieWithParent } from '#hack/tools/die-with-parent';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';

const MAIN = join(import.meta.dirname, '../main.ts');

/** What an attempt is given beside its endpoint. */
export interface ProgramInput {
  readonly settings: Partial<RemoteAttempt>;
  readonly input?: string | Buffer;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Content of the file of the credential. */
  readonly credential?: string;
  readonly ca?: string;
  /** Its number; one when left out. */
  readonly number?: number;
  /** The answer to a question of an earlier attempt, and what that left. */
  readonly answer?: { readonly text: string; readonly state: string };
}

/** How it ended. */
export interface Ended {
  readonly code: number | null;
  /** What a kubelet would read. */
  readonly text: string;
  readonly said: ReturnType<typeof terminationMessage.parse>;
  readonly log: string;
}

/** The program, as it runs. */
export interface Program {
  readonly child: ChildProcess;
  readonly credentialFile: string;
  /** What it has logged until now. */
  said(): string;
  ended(): Promise<Ended>;
}

const QUICK: RemoteAttempt = {
  protocolVersions: ['1.0', '0.3'],
  insecureHttp: true,
  timeouts: { connectSeconds: 2, requestSeconds: 5 },
  retries: {
    limit: 3,
    backoffSeconds: 0.05,
    maxBackoffSeconds: 1,
    statuses: [429, 502, 503, 504],
    lostAnswer: 'Fail',
  },
  pollSeconds: 0.2,
  messageId: 'run-uid-1',
  timeoutSeconds: 60,
  graceSeconds: 10,
};

/** Files of an attempt, and the variables that name them. */
const FILES = {
  input: 'NEXUSOS_INPUT_FILE',
  parameters: 'NEXUSOS_PARAMETERS_FILE',
  answer: 'NEXUSOS_ANSWER_FILE',
  state: 'NEXUSOS_STATE_FILE',
  credential: undefined,
  ca: undefined,
} as const;

/** Starts the program as a pod would, with files in a folder of the test. */
export async function startProgram(
  t: Parameters<typeof temporaryFolder>[0],
  { settings, parameters, answer, number = 1, ...files }: ProgramInput,
): Promise<Program> {
  const folder = await temporaryFolder(t, 'remote');
  const path = (name: string): string => join(folder, name);
  const env: Record<string, string> = {
    NEXUSOS_RUN: 'report',
    NEXUSOS_ATTEMPT: String(number),
    NEXUSOS_RESULT_FILE: path('result'),
    [REMOTE_VARIABLE]: JSON.stringify(attemptWith(settings, files, path)),
  };
  const told = { answer: answer?.text, state: answer?.state, parameters: JSON.stringify(parameters) };
  const contents: Partial<Record<string, string | Buffer>> = { ...files, ...told };
  for (const [name, variable] of Object.entries(FILES)) {
    const content = contents[name];
    if (content === undefined) continue;
    await writeFile(path(name), content);
    if (variable !== undefined) env[variable] = path(name);
  }
  return { ...begin(env, path('result')), credentialFile: path('credential') };
}

function attemptWith(
  settings: Partial<RemoteAttempt>,
  { credential, ca }: Pick<ProgramInput, 'credential' | 'ca'>,
  path: (name: string) => string,
): RemoteAttempt {
  const auth = settings.auth ?? { scheme: 'Bearer' };
  return {
    ...QUICK,
    ...settings,
    ...(credential !== undefined && { auth: { ...auth, file: path('credential') } }),
    ...(ca !== undefined && { tls: { ...settings.tls, caFile: path('ca') } }),
  };
}

function begin(env: Readonly<Record<string, string>>, resultFile: string): Omit<Program, 'credentialFile'> {
  const { program, args } = dieWithParent({ program: process.execPath, args: [MAIN] });
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = once(child, 'close');
  const said = (): string => Buffer.concat(chunks).toString('utf8');
  return {
    child,
    said,
    async ended() {
      await closed;
      const text = await readFile(resultFile, 'utf8').catch(() => '{}');
      return { code: child.exitCode, text, said: terminationMessage.parse(JSON.parse(text)), log: said() };
    },
  };
}

/** Runs it to its end. */
export async function runAttempt(
  t: Parameters<typeof temporaryFolder>[0],
  input: ProgramInput,
): Promise<Ended> {
  const program = await startProgram(t, input);
  return program.ended();
}
