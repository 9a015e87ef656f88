// SPDX-License-Identifier: Apache-2.0
import { MessageChannel, Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { EVALUATION_LIMITS } from '../verdict.ts';
import { Mailbox } from './mailbox.ts';
import { LOOK } from './messages.ts';
import { WORKER_URL } from './worker-handle.ts';

/** A worker as its handle starts it, the port by which it is sent messages, and its mailbox. */
async function worker(t: ExecutionContext) {
  const mailbox = new Mailbox();
  const { port1: port, port2 } = new MessageChannel();
  const { maxInputBytes, maxResultBytes, maxDepth } = EVALUATION_LIMITS;
  const limits = { maxInputBytes, maxResultBytes, maxDepth };
  const settings = { limits, recycleAfter: 100, recycleBytes: 1024, residentBytes: 1024 };
  const workerData = { port: port2, mailbox: mailbox.memory, settings };
  const started = new Worker(WORKER_URL, { workerData, transferList: [port2], execArgv: [] });
  t.teardown(() => started.terminate());
  await new Promise((resolve) => port.once('message', resolve));
  return { port, mailbox };
}

test('who was woken waits at the door for a while, and goes back to its event loop, each time', async (t) => {
  const { port, mailbox } = await worker(t);
  t.false(mailbox.ring(), 'nobody has woken it yet');
  for (const time of ['first', 'second']) {
    // Sent at each look, as its while may be over before one is made: then it goes back unseen, and nothing would wake it again.
    await eventually(`it is at the door, the ${time} time`, () => {
      if (mailbox.ring()) return true;
      port.postMessage(LOOK);
      return false;
    });
    // Rings do not keep it there: its while is counted from the message that woke it.
    await eventually(`it has gone back, the ${time} time`, () => !mailbox.ring());
  }
  t.pass();
});
