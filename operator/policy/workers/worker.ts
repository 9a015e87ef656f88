// SPDX-License-Identifier: Apache-2.0
import { isMainThread, type MessagePort, workerData } from 'node:worker_threads';
import { ThreadTime } from '../metering/clock.ts';
import { EvaluationFailure, Failure } from '../verdict.ts';
import { Instances } from './instances.ts';
import {
  type Collected,
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
  readonly settings: WorkerSettings;
}

/** Carries out orders, one after the other. It never throws: what goes wrong is told. */
function serve({ port, settings }: WorkerStart): void {
  const time = new ThreadTime({ wallMs: () => performance.now(), processorMs: ownProcessorMs });
  const instances = new Instances(settings, time);
  port.on('message', (order: Order) => {
    if (order.kind === 'forget') instances.forget(order.key);
    else {
      time.begin(order.deadlineMs);
      const reply = run(instances, order);
      port.postMessage(reply);
      if (reply.collects) port.postMessage(collect());
    }
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

/** After the answer, which whoever asked waits for: on a machine that is busy it takes tens of milliseconds. */
function collect(): Collected {
  collectGarbage();
  return { kind: 'collected', processorMs: ownProcessorMs() };
}

function run(instances: Instances, order: Run): Reply {
  const hadMs = ownProcessorMs();
  let loadMicros: number | undefined;
  // Not by the clock on the wall: what others take of the machine is no fault of a rule.
  const microsSoFar = () => Math.round((ownProcessorMs() - hadMs) * 1000);
  const outcome = attempt(instances, order, () => {
    loadMicros = microsSoFar();
  });
  const micros = microsSoFar();
  return {
    ...outcome,
    id: order.id,
    micros,
    loadMicros: loadMicros ?? micros,
    processorMs: ownProcessorMs(),
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
