// SPDX-License-Identifier: Apache-2.0
import type { ImageTeller } from '#operator/core/policy/image-input';
import { isJsonObject, type JsonObject, type Review } from '#operator/core/policy/review';
import { listAt, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import { CommandError, EXIT } from '../cli/command.ts';
import { readText } from './documents.ts';
import { fixedTeller } from './image-fixtures.ts';
import { reviewOfRequest } from './review-of.ts';

/** The last refusal in a log, instead of one by its id. */
export const LAST = 'last';

/** What a decision log has of a request. */
export interface LoggedDecision {
  readonly review: Review;
  /** What of it is not in the log, as JSON pointers. */
  readonly hidden: readonly string[];
  /** What was known of images then, where a pack was told. */
  readonly images?: ImageTeller;
}

/** Finds a decision in a file of log lines; other lines of the process may be among them. */
export async function readDecision(path: string, id: string): Promise<LoggedDecision> {
  const events = (await readText(path)).split('\n').flatMap(eventIn);
  const found = events.findLast((event) => (id === LAST ? isRefusal(event) : event['decision_id'] === id));
  if (found === undefined) {
    const wanted = id === LAST ? 'no refusal' : `no decision ${id}`;
    throw new CommandError(EXIT.usage, `${path} has ${wanted}; it has ${events.length} decisions`);
  }
  return decisionOf(path, found);
}

function eventIn(line: string): readonly JsonObject[] {
  if (!line.includes('"decision_id"')) return [];
  try {
    // What collects logs may put something before the line.
    const event: unknown = JSON.parse(line.slice(line.indexOf('{')));
    return isJsonObject(event) && typeof event['decision_id'] === 'string' ? [event] : [];
  } catch {
    return [];
  }
}

function isRefusal(event: JsonObject): boolean {
  return objectAt(event, 'result')['allowed'] === false;
}

function decisionOf(path: string, event: JsonObject): LoggedDecision {
  const hidden = [...listAt(event, 'erased'), ...listAt(event, 'masked')].map(String);
  const input = objectAt(event, 'input');
  const images = input['images'];
  const seen = images === undefined ? {} : { images: fixedTeller(images, path) };
  const read = reviewOfRequest(objectAt(input, 'review'));
  if (read.kind === 'ok') return { review: read.review, hidden, ...seen };
  const why = hidden.includes('/input') ? 'its input was too large to be logged' : read.message;
  throw new CommandError(EXIT.usage, `${path}, decision ${textAt(event, 'decision_id')}: ${why}`);
}
