// SPDX-License-Identifier: Apache-2.0
import { isMainThread, type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { SURE_SHARE, SURE_SHARE_OF_LOADS, ThreadTime } from '../metering/clock.ts';
import { EvaluationFailure, Failure } from '../verdict.ts';
import { Instances } from './instances.ts';
import { Mailbox } from './mailbox.ts';
import {
  type Collected,
  type Loaded,
  LOOK,
  type Order,
  READY,
  type Ready,
  type Reply,
  type ReplyContent,
  type WorkerSettings,
} from './messages.ts';
import { collectGarbage } from './garbage.ts';
import { ownProcessorMs, ownThread } from './thread-clock.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly port: MessagePort;
  /** Where questions about what it knows are left. */
  readonly mailbox: SharedArrayBuffer;
  readonly settings: WorkerSettings;
}

/**
 * For so long after it was woken it waits for the next order outside of its event loop, which each would else have to go through. Then it goes
 * back: V8 has tasks there that it leaves for later, and who is never asked again is to be like any other thread.
 */
const AT_THE_DOOR_MS = 1000;

/** Carries out orders, one after the other. It never throws: what goes wrong is told. */
function serve({ port, mailbox: memory, settings }: WorkerStart): void {
  const time = new ThreadTime({ wallMs: () => performance.now(), processorMs: ownProcessorMs });
  const instances = new Instances(settings, time);
  const mailbox = new Mailbox(memory);
  const carryOut = (order: Order): void => {
    if (order.kind === 'look') return;
    if (order.kind === 'forget') return instances.forget(order.key);
    const onLoaded = (processorMs: number): void => {
      const loaded: Loaded = { kind: 'loaded', processorMs };
      port.postMessage(loaded);
    };
    const reply = run(order, { instances, time, onLoaded });
    port.postMessage(reply);
    if (reply.collects) port.postMessage(collect());
  };
  // A question that lies there is older than what is received after it was left: what is to be forgotten by that is needed before.
  const carryOutAll = (first?: Order): void => {
    for (let order: Order | undefined = first ?? LOOK; order !== undefined; order = receive(port)) {
      const letter = mailbox.take();
      if (letter !== undefined) carryOut({ ...letter, kind: 'run', source: undefined });
      carryOut(order);
    }
  };
  port.on('message', (order: Order) => {
    const until = performance.now() + AT_THE_DOOR_MS;
    carryOutAll(order);
    while (mailbox.wait(until - performance.now()) || !mailbox.leave()) carryOutAll();
  });
  const ready: Ready = {
    id: READY,
    kind: 'answer',
    json: undefined,
    micros: 0,
    loadMicros: 0,
    processorMs: ownProcessorMs(),
    collects: false,
    thread: ownThread(),
  };
  port.postMessage(ready);
}

type Run = Extract<Order, { kind: 'run' }>;

function receive(port: MessagePort): Order | undefined {
  const received: { readonly message: Order } | undefined = receiveMessageOnPort(port);
  return received?.message;
}

/** After the answer, which whoever asked waits for: on a machine that is busy it takes tens of milliseconds. */
function collect(): Collected {
  collectGarbage();
  return { kind: 'collected', processorMs: ownProcessorMs() };
}

interface RunWith {
  readonly instances: Instances;
  readonly time: ThreadTime;
  /** Called where loading has time of its own. */
  readonly onLoaded: (processorMs: number) => void;
}

function run(order: Run, { instances, time, onLoaded }: RunWith): Reply {
  const { question, deadlineMs, loadDeadlineMs } = order;
  const isLoad = question === undefined || loadDeadlineMs !== undefined;
  const hadMs = time.begin(loadDeadlineMs ?? deadlineMs, isLoad ? SURE_SHARE_OF_LOADS : SURE_SHARE);
  let loadMicros: number | undefined;
  // Not by the clock on the wall: what others take of the machine is no fault of a rule.
  const microsUntil = (nowMs: number) => Math.round((nowMs - hadMs) * 1000);
  const outcome = attempt(instances, order, () => {
    if (loadDeadlineMs !== undefined) onLoaded(time.begin(deadlineMs));
    loadMicros = microsUntil(ownProcessorMs());
  });
  const processorMs = ownProcessorMs();
  const micros = microsUntil(processorMs);
  return {
    ...outcome,
    id: order.id,
    micros,
    loadMicros: loadMicros ?? micros,
    processorMs,
    collects: instances.hasMuchToCollect(),
  };
}

function attempt(instances: Instances, { key, source, question }: Run, onLoaded: () => void): ReplyContent {
  try {
    if (source !== undefined) instances.add(key, source);
    instances.load(key);
    onLoaded();
    return { kind: 'answer', json: question && instances.ask(key, question)?.json };
  } catch (error) {
    if (error instanceof EvaluationFailure)
      return { kind: 'failed', reason: error.reason, message: error.message };
    const message = `the evaluation failed in its host (${error instanceof Error ? error.name : 'unknown'})`;
    return { kind: 'failed', reason: Failure.Lost, message };
  }
}

if (isMainThread) {
  process.stderr.write('This file is started by other roles, in a thread of its own.\n');
  process.exitCode = 2;
} else {
  serve(workerData as WorkerStart);
}
