// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { System } from './bring-up.ts';
import { changes, type Story, tell } from './changes.ts';
import { renderFrame } from './frame.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import type { Terminal } from './terminal.ts';

/** How long to follow. */
export interface FollowOptions {
  /** Ends the following. */
  readonly until: (snapshot: Snapshot) => boolean;
  /** Gives up after so long, in milliseconds. Default: never. */
  readonly timeoutMs?: number;
}

const INTERVAL_MS = 500;

/**
 * Shows what happens in the system: on a terminal as tables that are drawn anew, elsewhere one line per change. Returns
 * the last snapshot. Throws when the operator or the control plane ends meanwhile.
 */
export async function follow(
  terminal: Terminal,
  { cluster, operator }: System,
  { until, timeoutMs = Number.POSITIVE_INFINITY }: FollowOptions,
): Promise<Snapshot> {
  const deadline = performance.now() + timeoutMs;
  let story: Story = new Map();
  let gone: string | undefined;
  const unlisten = cluster.onComponentExit((exit) => {
    gone = exit.component;
  });
  try {
    for (;;) {
      const snapshot = await readSnapshot(cluster.admin);
      story = show(terminal, snapshot, story);
      if (until(snapshot) || performance.now() > deadline) return snapshot;
      await delay(INTERVAL_MS);
      if (operator.hasEnded)
        throw new Error(`the operator ended. The end of its log:\n${operator.log.tail()}`);
      if (gone !== undefined) throw new Error(`${gone} ended, so the control plane does not work any more`);
    }
  } finally {
    unlisten();
  }
}

function show(terminal: Terminal, snapshot: Snapshot, before: Story): Story {
  const story = tell(snapshot);
  if (terminal.isLive) {
    terminal.draw([...renderFrame(snapshot, terminal.screen), '', 'Ctrl-C ends everything.']);
    return story;
  }
  for (const line of changes(before, story)) terminal.line(`[${terminal.elapsed()}] ${line}`);
  return story;
}
