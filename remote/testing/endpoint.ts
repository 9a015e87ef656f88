// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { type Ended, type ProgramInput, runAttempt } from './program.ts';
import { bodyOf, reply, type Served, serve } from './server.ts';

type Context = Parameters<typeof runAttempt>[0] & Parameters<typeof serve>[0];

/** A call that came to an endpoint. */
export interface Rpc {
  readonly id: string;
  readonly method: string;
  readonly params: { readonly id?: string };
}

/** What came to an endpoint, by method; of requests that are no calls, by their path. */
type Seen = string[];
/** What an endpoint does with a call. */
export type Answering = (
  rpc: Rpc,
  response: ServerResponse,
  request: IncomingMessage,
) => void | Promise<void>;

/** An endpoint, and what it has seen. */
export interface Endpoint extends Served {
  readonly seen: Seen;
}

export const TASK = { id: 'task-1', contextId: 'context-1' };
export const working = { ...TASK, status: { state: 'TASK_STATE_WORKING' } };
export const completed = {
  ...TASK,
  status: { state: 'TASK_STATE_COMPLETED' },
  artifacts: [{ artifactId: 'a', parts: [{ text: 'done' }] }],
};

/** An endpoint of generation 1.0 that answers with whatever a test likes. */
export async function endpoint(
  t: Context,
  answer: Answering,
  tls?: Parameters<typeof serve>[2],
): Promise<Endpoint> {
  const seen: Seen = [];
  const served = await serve(
    t,
    async (request, response) => {
      if (request.method === 'GET') seen.push(request.url ?? '');
      const rpc = (request.method === 'GET' ? {} : JSON.parse(await bodyOf(request))) as Rpc;
      if (request.method !== 'GET') seen.push(rpc.method);
      await answer(rpc, response, request);
    },
    tls,
  );
  return { ...served, seen };
}

/** Answers a call with a result. */
export function result(response: ServerResponse, { id }: Rpc, value: unknown): void {
  reply(response, 200, { jsonrpc: '2.0', id, result: value });
}

/** An endpoint that takes the message, and tells of its task by `look`. */
export function taking(look: Answering): Answering {
  return (rpc, response, request) =>
    rpc.method === 'SendMessage' ? result(response, rpc, { task: working }) : look(rpc, response, request);
}

/** The first `times` calls by `first`, the others by `then`. */
export function after(times: number, first: Answering, then: Answering): Answering {
  let count = 0;
  return (...all) => {
    count += 1;
    return (count <= times ? first : then)(...all);
  };
}

export const refuse =
  (status: number, headers: Readonly<Record<string, string>> = {}): Answering =>
  (_, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    reply(response, status, 'no');
  };
export const complete: Answering = (rpc, response) =>
  result(response, rpc, rpc.method === 'SendMessage' ? { task: completed } : completed);
export const hangUp: Answering = (_, response) => void response.destroy();
export const fallSilent: Answering = () => undefined;

/** Runs an attempt to its end, with waits that are short. */
export async function attempt(
  t: Context,
  url: string,
  more: Partial<ProgramInput> & { readonly retries?: Partial<RemoteAttempt['retries']> } = {},
): Promise<Ended> {
  const retries: RemoteAttempt['retries'] = {
    limit: 3,
    backoffSeconds: 0.05,
    maxBackoffSeconds: 1,
    statuses: [429, 502, 503, 504],
    lostAnswer: 'Fail',
    ...more.retries,
  };
  const timeouts = { connectSeconds: 2, requestSeconds: 3 };
  return runAttempt(t, { input: 'go', ...more, settings: { url, retries, timeouts, ...more.settings } });
}
