// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../core/object.ts';
import { LineSplitter } from './lines.ts';

/** An etcd object is at most 1.5 MB; JSON can make it a few times that. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** One event of a watch, told apart by what must be done. */
export type WatchEvent =
  | { readonly type: 'put' | 'delete'; readonly object: KubeObject }
  | { readonly type: 'bookmark'; readonly resourceVersion: string; readonly endsInitial: boolean }
  | { readonly type: 'error'; readonly status: number; readonly message: string };

/** A line of a watch that is not an event: the connection cannot be trusted any more. */
export class MalformedEventError extends Error {
  constructor(why: string, cause?: unknown) {
    super(`malformed watch event: ${why}`, { cause });
    this.name = 'MalformedEventError';
  }
}

/**
 * The events in a stream of bytes, in order.
 *
 * @throws MalformedEventError, or whatever broke the stream.
 */
export async function* watchEvents(stream: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent> {
  const splitter = new LineSplitter(MAX_LINE_BYTES);
  for await (const chunk of stream) {
    for (const line of splitter.push(chunk)) yield parseEvent(line);
  }
}

/**
 * The event that `line` tells.
 *
 * @throws MalformedEventError when it tells none.
 */
export function parseEvent(line: string): WatchEvent {
  const { type, object } = parseLine(line);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'put', object };
    case 'DELETED':
      return { type: 'delete', object };
    case 'BOOKMARK':
      return bookmark(object);
    case 'ERROR':
      return watchError(object);
    default:
      throw new MalformedEventError(`unknown type ${JSON.stringify(type)}`);
  }
}

function bookmark(object: KubeObject): WatchEvent {
  const { resourceVersion, annotations } = object.metadata;
  if (resourceVersion === undefined) throw new MalformedEventError('a bookmark without resourceVersion');
  return { type: 'bookmark', resourceVersion, endsInitial: annotations?.[INITIAL_EVENTS_END] === 'true' };
}

/** An ERROR event carries a Status. */
function watchError(object: KubeObject): WatchEvent {
  const { code, message } = object;
  return {
    type: 'error',
    status: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' ? message : '',
  };
}

function parseLine(line: string): { type: unknown; object: KubeObject } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    throw new MalformedEventError('not JSON', error);
  }
  if (typeof parsed !== 'object' || parsed === null) throw new MalformedEventError('not an object');
  if (!('type' in parsed) || !('object' in parsed)) throw new MalformedEventError('no type or no object');
  const { type, object } = parsed;
  if (!isEventObject(object)) throw new MalformedEventError('no metadata');
  return { type, object };
}

/** A Status (of an ERROR) has metadata too, though an empty one. */
function isEventObject(object: unknown): object is KubeObject {
  if (typeof object !== 'object' || object === null || !('metadata' in object)) return false;
  return typeof object.metadata === 'object' && object.metadata !== null;
}
