// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { System } from './bring-up.ts';
import { changes, type Story, tell } from './changes.ts';
import { renderFrame } from './frame.ts';
import { patiently, readSnapshot, type Snapshot } from './snapshot.ts';
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
 * the last snapshot. Throws when the operator is given up, or the control plane ends or does not answer for a minute, meanwhile.
 */
export async function follow(
  terminal: Terminal,
  { cluster, operator }: System,
  { until, timeoutMs = Number.POSITIVE_INFINITY }: FollowOptions,
): Promise<Snapshot> {
  const deadline = performance.now() + timeoutMs;
  const isOver = (snapshot: Snapshot) => until(snapshot) || performance.now() > deadline;
  let story: Story = new Map();
  let gone: string | undefined;
  const look = patiently(
    () => readSnapshot(cluster.admin),
    () => performance.now(),
  );
  const unlisten = cluster.onComponentExit((exit) => {
    gone = exit.component;
  });
  try {
    for (;;) {
      const snapshot = await look();
      if (snapshot !== undefined) story = show(terminal, { snapshot, operator: operator.story }, story);
      if (snapshot !== undefined && isOver(snapshot)) return snapshot;
      await delay(INTERVAL_MS);
      if (operator.failure !== undefined) throw new Error(operator.failure);
      if (gone !== undefined) throw new Error(`${gone} ended, so the control plane does not work any more`);
    }
  } finally {
    unlisten();
  }
}

interface Seen {
  readonly snapshot: Snapshot;
  /** What happened to the operator, if anything. */
  readonly operator: string | undefined;
}

function show(terminal: Terminal, { snapshot, operator }: Seen, before: Story): Story {
  const story = tell(snapshot, operator);
  if (terminal.isLive) {
    const footer = [
      '',
      ...(operator === undefined ? [] : [`operator: ${operator}`]),
      'Ctrl-C ends everything.',
    ];
    const { columns, rows } = terminal.screen;
    terminal.draw([...renderFrame(snapshot, { columns, rows: rows - footer.length }), ...footer]);
    return story;
  }
  for (const line of changes(before, story)) terminal.line(`[${terminal.elapsed()}] ${line}`);
  return story;
}
