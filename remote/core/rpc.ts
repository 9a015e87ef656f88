// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { parseJson } from './json.ts';

/** What an answer of JSON-RPC says. */
export type RpcAnswer =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'unread'; readonly why: string };

const error = z.object({
  jsonrpc: z.literal('2.0'),
  // null where the endpoint could not read which request it was.
  id: z.union([z.string(), z.number(), z.null()]).optional(),
  error: z.object({ code: z.number(), message: z.string() }),
});
const result = z.object({ jsonrpc: z.literal('2.0'), id: z.union([z.string(), z.number(), z.null()]) });

/** A request of JSON-RPC as text. */
export function rpcText(id: string, { method, params }: { method: string; params: object }): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

/** The answer to the request `id`; that to another one is none. */
export function readRpc(body: string, id: string): RpcAnswer {
  const parsed = parseJson(body);
  if (parsed.kind === 'unread') return parsed;
  const failed = error.safeParse(parsed.value).data;
  if (failed !== undefined) {
    return failed.id === id || failed.id === null || failed.id === undefined
      ? { kind: 'error', ...failed.error }
      : UNASKED;
  }
  const answered = result.safeParse(parsed.value).data;
  if (answered === undefined) return { kind: 'unread', why: 'it is no answer of JSON-RPC 2.0' };
  if (answered.id !== id) return UNASKED;
  return { kind: 'result', value: (parsed.value as { readonly result?: unknown }).result };
}

const UNASKED: RpcAnswer = { kind: 'unread', why: 'it is the answer to another request' };
