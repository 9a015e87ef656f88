// SPDX-License-Identifier: Apache-2.0
import type { PROTOCOL_VERSIONS } from '#crds/v1alpha1/agent-remote';
import type { Content, Outgoing } from './message.ts';
import { NEW_READER, OLD_READER, type TaskReader } from './read-task.ts';

/** A generation of A2A. */
export type ProtocolVersion = (typeof PROTOCOL_VERSIONS)[number];

/** A call of JSON-RPC. */
export interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** How one generation of A2A says over JSON-RPC what both can say. */
export interface Generation extends TaskReader {
  readonly version: ProtocolVersion;
  readonly headers: Readonly<Record<string, string>>;
  send(message: Outgoing): Call;
  get(taskId: string): Call;
  cancel(taskId: string): Call;
}

const OLD: Generation = {
  version: '0.3',
  // It knows of no such header; later endpoints take none for this generation.
  headers: {},
  ...OLD_READER,
  send: ({ content, contextId, taskId, ...message }) => ({
    method: 'message/send',
    params: {
      message: {
        kind: 'message',
        role: 'user',
        ...message,
        ...(contextId !== undefined && { contextId }),
        ...(taskId !== undefined && { taskId }),
        parts: [oldPart(content)],
      },
      configuration: { blocking: false, historyLength: 0 },
    },
  }),
  get: (id) => ({ method: 'tasks/get', params: { id, historyLength: 0 } }),
  cancel: (id) => ({ method: 'tasks/cancel', params: { id } }),
};

/** `tenant` is what the card of an endpoint that serves several of its own tells to hand on. */
function newest(tenant: string | undefined): Generation {
  const route = tenant === undefined ? {} : { tenant };
  return {
    version: '1.0',
    headers: { 'a2a-version': '1.0' },
    ...NEW_READER,
    send: ({ content, contextId, taskId, ...message }) => ({
      method: 'SendMessage',
      params: {
        ...route,
        message: {
          role: 'ROLE_USER',
          ...message,
          ...(contextId !== undefined && { contextId }),
          ...(taskId !== undefined && { taskId }),
          parts: [newPart(content)],
        },
        configuration: { returnImmediately: true, historyLength: 0 },
      },
    }),
    get: (id) => ({ method: 'GetTask', params: { ...route, id, historyLength: 0 } }),
    cancel: (id) => ({ method: 'CancelTask', params: { ...route, id } }),
  };
}

/** How `version` is spoken. */
export function generationOf(version: ProtocolVersion, tenant?: string): Generation {
  return version === '0.3' ? OLD : newest(tenant);
}

/**
 * Whether an error of JSON-RPC says that the endpoint does not speak this generation: no such method, no such version, or no such form of a
 * request. What is answered so was not taken.
 */
export function isOtherGeneration(code: number): boolean {
  return code === -32601 || code === -32009 || code === -32600;
}

const BYTES = 'application/octet-stream';

function oldPart(content: Content): object {
  switch (content.kind) {
    case 'link':
      return { kind: 'file', file: { uri: content.uri } };
    case 'bytes':
      return { kind: 'file', file: { bytes: content.base64, mimeType: BYTES } };
    default:
      return content;
  }
}

function newPart(content: Content): object {
  switch (content.kind) {
    case 'text':
      return { text: content.text };
    case 'data':
      return { data: content.data };
    case 'link':
      return { url: content.uri };
    default:
      return { raw: content.base64, mediaType: BYTES };
  }
}
