// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { REMOTE_VARIABLE, type RemoteAttempt, remoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { conversationIn } from './core/conversation.ts';
import { type Bounds, type Given, type Saying, sayingOf } from './core/message.ts';
import { FailedError } from './http/peer.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What the operator has the attempt do. @throws FailedError */
export function readAttempt(env: Env): RemoteAttempt {
  const text = env[REMOTE_VARIABLE] ?? '';
  const parsed = remoteAttempt.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new FailedError('InvalidSettings', `${REMOTE_VARIABLE}: ${where}`);
}

/** What is said to the agent, from what the Run is given. @throws FailedError */
export async function readSaying(env: Env, attempt: RemoteAttempt): Promise<Saying> {
  const { messageId, contextId } = attempt;
  const parameters = await parametersOf(env);
  const input = await inputOf(env);
  const answer = await answerOf(env);
  const given: Given = {
    run: env['NEXUSOS_RUN'] ?? '',
    attempt: Number(env['NEXUSOS_ATTEMPT'] ?? 1),
    ...(input !== undefined && { input }),
    ...(parameters !== undefined && { parameters }),
    bounds: boundsOf(env),
    ...(answer !== undefined && { answer }),
  };
  return sayingOf(given, { messageId, contextId });
}

/** A file that the pod was to have. @throws FailedError */
export async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as { readonly code?: string }).code ?? '';
    throw new FailedError('InvalidSettings', `${what}: its file cannot be read (${code})`);
  }
}

async function inputOf(env: Env): Promise<Given['input']> {
  const { NEXUSOS_INPUT_FILE: path, NEXUSOS_INPUT_URI: uri } = env;
  if (path === undefined) return uri === undefined ? undefined : { uri };
  const bytes = await readFile(path).catch(() => {
    throw new FailedError('InvalidSettings', 'spec.input: its file cannot be read');
  });
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { base64: bytes.toString('base64') };
  }
}

/** What its pod is told for it to tell: nothing else holds an agent elsewhere to that. */
function boundsOf({ NEXUSOS_TOOLS: tools, NEXUSOS_MAX_STEPS: steps }: Env): Bounds {
  const listed = tools === undefined ? undefined : jsonOf(tools);
  return {
    ...(Array.isArray(listed) && { tools: listed.map(String) }),
    ...(steps !== undefined && { maxSteps: Number(steps) }),
  };
}

/** The answer to the question of an earlier attempt. */
async function answerOf(env: Env): Promise<Given['answer']> {
  const { NEXUSOS_ANSWER_FILE: path, NEXUSOS_STATE_FILE: state } = env;
  if (path === undefined || state === undefined) return undefined;
  const conversation = conversationIn(await readText(state, 'status.question.state'));
  if (conversation === undefined) {
    throw new FailedError('InvalidSettings', 'status.question.state: it names no task that could go on');
  }
  return { text: await readText(path, 'spec.answers'), conversation };
}

async function parametersOf(env: Env): Promise<Given['parameters']> {
  const path = env['NEXUSOS_PARAMETERS_FILE'];
  return path === undefined
    ? undefined
    : (jsonOf(await readText(path, 'spec.parameters')) as Given['parameters']);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
