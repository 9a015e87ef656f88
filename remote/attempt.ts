// SPDX-License-Identifier: Apache-2.0
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { endpointOf, endpointWithoutCard, type Endpoint } from './core/card.ts';
import { type Failure, failure } from './core/failure.ts';
import { type Generation, isOtherGeneration } from './core/generation.ts';
import type { Outgoing, Saying } from './core/message.ts';
import { outputOfMessage } from './core/output.ts';
import { toldAddress } from './core/refusal.ts';
import type { Ending } from './core/said.ts';
import type { Sent, Task, TaskState } from './core/task.ts';
import { usageOf } from './core/usage.ts';
import { isLeftWaiting, verdictOn } from './core/verdict.ts';
import { type Called, type Calling, type Peer, waited } from './http/peer.ts';
import type { Log } from './log.ts';

/** What an attempt goes by. */
export interface AttemptWorld {
  readonly attempt: RemoteAttempt;
  readonly saying: Saying;
  readonly peer: Peer;
  /** Aborted when the attempt is told to end. */
  readonly stop: AbortSignal;
  /** Aborted when it must have ended. */
  readonly deadline: AbortSignal;
  /** Takes credentials out of what the endpoint says. */
  readonly hide: (text: string) => string;
  readonly log: Log;
}

/** A task at the endpoint that has it. */
interface Place {
  readonly url: string;
  readonly generation: Generation;
}

type Taken = Place & { readonly sent: Sent };

/** The first time that a task is asked for: short ones need not wait for the next. */
const FIRST_POLL_MS = 250;

/** Hands the message on, follows the task, and says how it ended. */
export async function follow(world: AttemptWorld): Promise<Ending> {
  const endpoint = await findEndpoint(world);
  if ('exitCode' in endpoint) return failed(world, endpoint);
  const taken = await begin(world, endpoint);
  if ('exitCode' in taken) return failed(world, taken);
  const { sent } = taken;
  if (sent.kind === 'message') {
    return { kind: 'completed', ...outputOfMessage(sent.message, world.hide), usage: usageOf(sent.message) };
  }
  world.log('the agent took the task', { task: sent.task.id, generation: taken.generation.version });
  return followTask(world, taken, sent.task);
}

/** Whatever went wrong before there was a task: if it was told to end, that is why. */
function failed({ stop }: AttemptWorld, why: Failure): Ending {
  if (!stop.aborted || why.kind === 'AnswerLost') return { kind: 'failed', failure: why };
  return {
    kind: 'failed',
    failure: failure('ToldToEnd', 'it was told to end before the agent had the task'),
  };
}

async function findEndpoint({ attempt, peer, stop, hide }: AttemptWorld): Promise<Endpoint | Failure> {
  const { cardUrl } = attempt;
  if (cardUrl === undefined) return endpointWithoutCard(attempt);
  const found = await peer.read(cardUrl, stop);
  if ('exitCode' in found) return found;
  if (found.kind === 'unread') return failure('NotUnderstood', `${toldAddress(cardUrl, hide)}: ${found.why}`);
  return endpointOf(attempt, found.value);
}

/**
 * Hands the message on. An answer to a question only while that is asked: an attempt that was lost may have handed it on before, and then its task is
 * followed. Where that has ended without success, and nobody is to be told so any more, the Run begins anew with another task.
 */
async function begin(world: AttemptWorld, endpoint: Endpoint): Promise<Taken | Failure> {
  const { message, anew } = world.saying;
  const { taskId, contextId } = message;
  if (taskId === undefined) return send(world, endpoint, message);
  const known = await find(world, endpoint, { id: taskId, contextId });
  if (anew !== undefined && isInVain(known)) {
    world.log('the task has ended without success, and another one is begun', { task: taskId });
    return send(world, endpoint, anew);
  }
  if ('exitCode' in known) return known;
  const { task, ...place } = known;
  if (task.state !== 'input-required') return { ...place, sent: { kind: 'task', task } };
  const taken = await send(world, { url: place.url, generations: [place.generation] }, message);
  if ('exitCode' in taken || taken.sent.kind === 'message') return taken;
  const next = sameTask(taken.sent.task, task, toldAddress(place.url, world.hide));
  if ('exitCode' in next) return next;
  // It may be told as it was before the answer: the next look at it tells whether it asks again.
  const state = next.state === 'input-required' ? 'submitted' : next.state;
  return { ...taken, sent: { kind: 'task', task: { ...next, state } } };
}

const ENDED_IN_VAIN: ReadonlySet<TaskState> = new Set(['failed', 'canceled', 'rejected']);

/** Whether nothing can become of a task any more. */
function isInVain(known: { readonly task: Task } | Failure): boolean {
  return 'exitCode' in known ? known.kind === 'TaskLost' : ENDED_IN_VAIN.has(known.task.state);
}

/** The task of an earlier attempt, in the first generation that the endpoint knows. */
async function find(
  world: AttemptWorld,
  { url, generations }: Endpoint,
  wanted: Ids,
): Promise<(Place & { readonly task: Task }) | Failure> {
  const [generation, next, ...rest] = generations;
  const called = await ask(world, { url, generation }, wanted);
  if (called.kind === 'error' && next !== undefined && isOtherGeneration(called.code)) {
    return find(world, { url, generations: [next, ...rest] }, wanted);
  }
  const task = taskIn(world, called, { url, generation, wanted });
  return 'exitCode' in task ? task : { url, generation, task };
}

/** In the first generation that the endpoint knows: who does not know one has not taken the message. */
async function send(
  world: AttemptWorld,
  { url, generations }: Endpoint,
  message: Outgoing,
): Promise<Taken | Failure> {
  const [generation, ...others] = generations;
  const called = await callPeer(world, {
    url,
    generation,
    call: generation.send(message),
    purpose: 'message',
    // Once it is sent its answer is waited for, as only that tells which task there is to cancel.
    signal: world.deadline,
    patience: world.stop,
  });
  const [next, ...rest] = others;
  if (called.kind === 'error' && next !== undefined && isOtherGeneration(called.code)) {
    return send(world, { url, generations: [next, ...rest] }, message);
  }
  const where = toldAddress(url, world.hide);
  if (called.kind !== 'result') return callFailure(called, where, 'it refused the message');
  const sent = generation.readSent(called.value);
  if (sent?.kind === 'task' && !isTellable(sent.task, world)) return untellable(where);
  if (sent !== undefined) return { url, generation, sent };
  return failure('NotUnderstood', `${where}: its answer to the message is no task, and no message`);
}

async function followTask(world: AttemptWorld, place: Place, first: Task): Promise<Ending> {
  const { attempt, stop } = world;
  let waitMs = FIRST_POLL_MS;
  for (let task = first; ; ) {
    const ending = verdictOn(task, world.hide);
    if (ending !== undefined) {
      if (isLeftWaiting(task)) await cancel(world, place, task);
      return withAsker(ending, world.saying);
    }
    if (!(await waited(waitMs, stop))) return endAsTold(world, place, task);
    waitMs = Math.min(waitMs * 2, attempt.pollSeconds * 1000);
    const found = await look(world, place, task);
    if (stop.aborted) return endAsTold(world, place, task);
    if ('exitCode' in found) return { kind: 'failed', failure: whileUnderWay(found, task) };
    if (found.state !== task.state) world.log('the task goes on', { task: task.id, state: found.state });
    task = found;
  }
}

/** With who asks: the attempt after that is the first to know how its task went on. */
function withAsker(ending: Ending, { attempt }: Saying): Ending {
  if (ending.kind !== 'asks') return ending;
  return { ...ending, conversation: { ...ending.conversation, attempt } };
}

const TASK_NOT_FOUND = -32001;

/** What tells a task from others. */
type Ids = Pick<Task, 'id' | 'contextId'>;

async function look(world: AttemptWorld, place: Place, wanted: Ids): Promise<Task | Failure> {
  return taskIn(world, await ask(world, place, wanted), { ...place, wanted });
}

function ask(world: AttemptWorld, { url, generation }: Place, { id }: Ids): Promise<Called> {
  const call = generation.get(id);
  const { stop } = world;
  return callPeer(world, { url, generation, call, purpose: 'read', signal: stop, patience: stop });
}

/** Calls a method. What the endpoint says of an error comes without credentials: once it is cut, half of one would not be found. */
async function callPeer({ peer, hide }: AttemptWorld, calling: Calling): Promise<Called> {
  const called = await peer.call(calling);
  return called.kind === 'error' ? { ...called, message: hide(called.message) } : called;
}

function taskIn(
  world: AttemptWorld,
  called: Called,
  { wanted, ...place }: Place & { readonly wanted: Ids },
): Task | Failure {
  const where = toldAddress(place.url, world.hide);
  if (called.kind === 'error' && called.code === TASK_NOT_FOUND) {
    return failure('TaskLost', `${where} has no task ${wanted.id} any more`);
  }
  if (called.kind !== 'result') return callFailure(called, where, `it does not tell of task ${wanted.id}`);
  const task = place.generation.readTask(called.value);
  if (task === undefined) return failure('NotUnderstood', `${where}: what it tells is no task`);
  return isTellable(task, world) ? sameTask(task, wanted, where) : untellable(where);
}

/** Whether identifiers may stand in the Run and in logs, where they stay as they are: the endpoint chooses them. */
function isTellable({ id, contextId = '' }: Ids, { hide }: AttemptWorld): boolean {
  return hide(id) === id && hide(contextId) === contextId;
}

function untellable(where: string): Failure {
  const message = `${where}: the id of its task, or of the context of that, holds the credential of spec.remote.auth; allowed are ids without it`;
  return failure('NotUnderstood', message);
}

function sameTask(task: Task, wanted: Ids, where: string): Task | Failure {
  const isSame = wanted.contextId === undefined || task.contextId === wanted.contextId;
  if (task.id === wanted.id && isSame) return task;
  const message = `${where}: asked for task ${wanted.id}, it tells of another one`;
  return failure('NotUnderstood', message);
}

/** Who cannot be asked any more goes on, as far as anybody knows: that is another failure than one before anything was begun. */
function whileUnderWay(why: Failure, { id }: Ids): Failure {
  if (why.kind !== 'Unreachable' && why.kind !== 'RateLimited') return why;
  return failure('TaskUnknown', `${why.message}; task ${id} may go on there`);
}

async function endAsTold(world: AttemptWorld, place: Place, task: Task): Promise<Ending> {
  const why = await cancel(world, place, task);
  const message =
    why === undefined
      ? `it was told to end, and had task ${task.id} cancelled`
      : `it was told to end, and could not have task ${task.id} cancelled: ${why}`;
  return { kind: 'failed', failure: failure('ToldToEnd', message) };
}

/** Has the endpoint end a task. Returns why that could not be had. */
async function cancel(
  world: AttemptWorld,
  { url, generation }: Place,
  task: Task,
): Promise<string | undefined> {
  const { deadline, log } = world;
  const call = generation.cancel(task.id);
  const called = await callPeer(world, {
    url,
    generation,
    call,
    purpose: 'read',
    signal: deadline,
    patience: deadline,
  });
  log('cancels the task', { task: task.id, answer: called.kind });
  if (called.kind === 'result') return undefined;
  return callFailure(called, toldAddress(url, world.hide), 'it will not').message;
}

/** Longest part of what an endpoint says of an error. */
const MAX_WORDS = 500;

function callFailure(
  called: Exclude<Called, { readonly kind: 'result' }>,
  where: string,
  what: string,
): Failure {
  switch (called.kind) {
    case 'failed':
      return called.failure;
    case 'unread':
      return failure('NotUnderstood', `${where}: ${called.why}`);
    default: {
      const words = called.message.slice(0, MAX_WORDS);
      return failure('Refused', `${where}: ${what}, with error ${called.code}: ${words}`);
    }
  }
}
