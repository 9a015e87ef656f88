// SPDX-License-Identifier: Apache-2.0

/** A JSON object whose shape is somebody else's. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A kind as reviews name it. */
export interface ReviewKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A resource as reviews name it: the plural. */
export interface ReviewResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** What admission tells apart. */
export const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const;
/** One of them. */
export type Operation = (typeof OPERATIONS)[number];

/** Who made the request, as the API server authenticated it. */
export interface ReviewUser {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: JsonObject;
}

/** `request` of an AdmissionReview, as far as a decision reads it. Absent texts are empty, as the API server leaves them out. */
export interface Review {
  readonly uid: string;
  readonly kind: ReviewKind;
  readonly resource: ReviewResource;
  readonly subResource: string;
  readonly name: string;
  readonly namespace: string;
  readonly operation: Operation;
  readonly userInfo: ReviewUser;
  readonly object?: JsonObject;
  readonly oldObject?: JsonObject;
  readonly options?: JsonObject;
  readonly dryRun: boolean;
}

/** A review, or the field that makes it none: what was found there, and what would pass. */
export type ReadReview =
  | { readonly kind: 'ok'; readonly review: Review }
  | { readonly kind: 'refused'; readonly field: string; readonly found: string; readonly wanted: string };

/** The deepest nesting that is read. Objects of Kubernetes stay far below; a schema of a schema comes to some forty. */
export const MAX_DEPTH = 256;

class Unreadable extends Error {
  readonly field: string;
  readonly found: unknown;
  readonly wanted: string;

  constructor(fault: { readonly field: string; readonly found: unknown; readonly wanted: string }) {
    super(fault.field);
    this.field = fault.field;
    this.found = fault.found;
    this.wanted = fault.wanted;
  }
}

/**
 * Reads `request` of an AdmissionReview. Fields that later versions of Kubernetes add are passed over; those that a decision
 * depends on must be of their type, since what is not understood must not be let through.
 */
export function readReview(value: unknown): ReadReview {
  try {
    return { kind: 'ok', review: toReview(objectAt(value, 'request')) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { kind: 'refused', field: error.field, found: describe(error.found), wanted: error.wanted };
  }
}

function toReview(request: JsonObject): Review {
  const operation = OPERATIONS.find((one) => one === request['operation']);
  if (operation === undefined)
    throw fault('request.operation', request['operation'], OPERATIONS.join(' or '));
  return {
    uid: requiredText(request['uid'], 'request.uid'),
    kind: kindAt(request['kind']),
    resource: resourceAt(request['resource']),
    subResource: textAt(request['subResource'], 'request.subResource'),
    name: textAt(request['name'], 'request.name'),
    namespace: textAt(request['namespace'], 'request.namespace'),
    operation,
    userInfo: userAt(request['userInfo']),
    ...bodies(request),
    dryRun: request['dryRun'] === true,
  };
}

function bodies(request: JsonObject): Pick<Review, 'object' | 'oldObject' | 'options'> {
  const found: { -readonly [Key in 'object' | 'oldObject' | 'options']?: JsonObject } = {};
  for (const key of ['object', 'oldObject', 'options'] as const) {
    const body = request[key];
    if (body === undefined || body === null) continue;
    const object = objectAt(body, `request.${key}`);
    if (isDeeperThan(object, MAX_DEPTH))
      throw fault(`request.${key}`, 'deeper nesting', `objects of at most ${MAX_DEPTH} levels`);
    found[key] = object;
  }
  return found;
}

function kindAt(value: unknown): ReviewKind {
  const kind = objectAt(value, 'request.kind');
  return {
    group: textAt(kind['group'], 'request.kind.group'),
    version: requiredText(kind['version'], 'request.kind.version'),
    kind: requiredText(kind['kind'], 'request.kind.kind'),
  };
}

function resourceAt(value: unknown): ReviewResource {
  const resource = objectAt(value, 'request.resource');
  return {
    group: textAt(resource['group'], 'request.resource.group'),
    version: requiredText(resource['version'], 'request.resource.version'),
    resource: requiredText(resource['resource'], 'request.resource.resource'),
  };
}

function userAt(value: unknown): ReviewUser {
  const user = objectAt(value ?? {}, 'request.userInfo');
  const groups = user['groups'] ?? [];
  if (!Array.isArray(groups) || !groups.every((one) => typeof one === 'string'))
    throw fault('request.userInfo.groups', groups, 'a list of strings');
  const uid = textAt(user['uid'], 'request.userInfo.uid');
  return {
    username: textAt(user['username'], 'request.userInfo.username'),
    groups,
    ...(uid !== '' && { uid }),
    ...(isJsonObject(user['extra']) && { extra: user['extra'] }),
  };
}

/** Whether a value is a JSON object, and neither a list nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether `value` nests deeper than `depth`. It goes no deeper than that itself: a stack is what such a value is made to exhaust. */
export function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  if (Array.isArray(value)) return value.some((one) => isDeeperThan(one, depth - 1));
  // Each object of each request is walked through: lists of its values would be most of the work.
  for (const name in value) if (isDeeperThan((value as JsonObject)[name], depth - 1)) return true;
  return false;
}

function objectAt(value: unknown, field: string): JsonObject {
  if (!isJsonObject(value)) throw fault(field, value, 'an object');
  return value;
}

function textAt(value: unknown, field: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw fault(field, value, 'a string');
  return value;
}

function requiredText(value: unknown, field: string): string {
  const text = textAt(value, field);
  if (text === '') throw fault(field, value, 'a string that is not empty');
  return text;
}

function fault(field: string, found: unknown, wanted: string): Unreadable {
  return new Unreadable({ field, found, wanted });
}

/** What was found, in one short word or text. Bodies are never repeated: they may hold secrets. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : `a value of type ${typeof value}`;
}
