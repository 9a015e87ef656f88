// SPDX-License-Identifier: Apache-2.0
// A peer that is not ours: the server of the A2A project's own SDK, behind the HTTP server of Node.
import { setTimeout as delay } from 'node:timers/promises';
import { AgentCard, Task } from '@a2a-js/sdk';
import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  ServerCallContext,
  validateVersion,
} from '@a2a-js/sdk/server';
import { bodyOf, reply, type Served, serve, type Teardown } from './server.ts';

/** What a test has its agent do with a message, as generation 1.0 writes it; the last of several with all that come after. */
export interface Script {
  /** Steps of the task, each some milliseconds after the one before. */
  readonly steps: readonly { readonly afterMs?: number; readonly task: object }[];
}

/** An agent, and what it has seen. */
export interface AgentServer extends Served {
  /** Messages that were taken, as JSON. */
  readonly messages: readonly Record<string, unknown>[];
  /** Tasks that were cancelled. */
  readonly cancelled: readonly string[];
}

const NOTHING: Script = { steps: [] };
const SUBMITTED = { status: { state: 'TASK_STATE_SUBMITTED' } };

/** An agent of the given generations that goes by `script`, whatever it is asked. Its card is where cards are. */
export async function startAgent(
  t: Teardown,
  scripts: Script | readonly Script[],
  versions: readonly ('1.0' | '0.3')[] = ['1.0', '0.3'],
): Promise<AgentServer> {
  const messages: Record<string, unknown>[] = [];
  const contexts = new Map<string, string>();
  const cancelled: string[] = [];
  const executor: AgentExecutor = {
    async execute({ taskId, contextId, userMessage, task: known }, bus) {
      const { messageId, metadata, parts } = userMessage;
      const { steps } =
        [scripts]
          .flat()
          .slice(0, messages.length + 1)
          .at(-1) ?? NOTHING;
      messages.push({ messageId, metadata, contextId, parts, taskId });
      contexts.set(taskId, contextId);
      const ids = { id: taskId, contextId };
      if (known === undefined) bus.publish(AgentEvent.task(Task.fromJSON({ ...ids, ...SUBMITTED })));
      for (const { afterMs = 0, task } of steps) {
        await delay(afterMs, undefined, { ref: false });
        if (cancelled.includes(taskId)) break;
        bus.publish(AgentEvent.task(Task.fromJSON({ ...ids, ...task })));
      }
      bus.finished();
    },
    async cancelTask(taskId, bus) {
      cancelled.push(taskId);
      const id = { id: taskId, contextId: contexts.get(taskId) };
      bus.publish(AgentEvent.task(Task.fromJSON({ ...id, status: { state: 'TASK_STATE_CANCELED' } })));
    },
  };
  const served = await serve(t, async (request, response) => {
    const card = cardOf(served.url, versions);
    if (request.url === '/.well-known/agent-card.json') {
      return reply(response, 200, versions[0] === '0.3' ? oldCardOf(served.url) : AgentCard.toJSON(card));
    }
    const body = JSON.parse(await bodyOf(request)) as Record<string, unknown>;
    const version = request.headers['a2a-version'];
    const isOld = version === undefined || version === '0.3';
    return reply(response, 200, await answerTo(body, isOld ? '0.3' : String(version)));
  });
  const handler = new DefaultRequestHandler(cardOf(served.url, versions), new InMemoryTaskStore(), executor);
  const [old, newest] = [new LegacyJsonRpcTransportHandler(handler), new JsonRpcTransportHandler(handler)];

  async function answerTo(body: Record<string, unknown>, version: string): Promise<unknown> {
    const context = new ServerCallContext({ requestedVersion: version });
    try {
      validateVersion(version, cardOf(served.url, versions), 'JSONRPC');
      return await (version === '0.3' ? old : newest).handle(body, context);
    } catch (error) {
      return { jsonrpc: '2.0', id: body['id'], error: JsonRpcTransportHandler.mapToJSONRPCError(error) };
    }
  }
  return { ...served, messages, cancelled };
}

const COMMON = {
  name: 'tester',
  description: 'does as it is told',
  version: '1',
  capabilities: {},
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [],
};

function cardOf(url: string, versions: readonly string[]): AgentCard {
  const supportedInterfaces = versions.map((protocolVersion) => ({
    url: `${url}/a2a`,
    protocolBinding: 'JSONRPC',
    protocolVersion,
  }));
  return AgentCard.fromJSON({ ...COMMON, supportedInterfaces });
}

/** As endpoints of generation 0.3 write it. */
function oldCardOf(url: string): object {
  return { ...COMMON, url: `${url}/a2a`, preferredTransport: 'JSONRPC', protocolVersion: '0.3.0' };
}
