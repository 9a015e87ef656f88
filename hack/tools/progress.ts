// SPDX-License-Identifier: Apache-2.0

/** Something that a build tells while it runs. `position` counts from 1 to `total`. */
export interface BuildStep {
  readonly program: string;
  readonly position: number;
  readonly total: number;
  readonly elapsedMs: number;
  readonly state: 'waiting' | 'building' | 'built';
  readonly note?: string;
}

/** Receives the steps of a build, once a second while one lasts. */
export type BuildObserver = (step: BuildStep) => void;

/** One line for people: `[2/6] kube-apiserver: building 73 s`. */
export function formatStep(step: BuildStep): string {
  const seconds = Math.round(step.elapsedMs / 1000);
  const note = step.note === undefined ? '' : ` (${step.note})`;
  return `[${step.position}/${step.total}] ${step.program}: ${step.state} ${seconds} s${note}`;
}

/** Seconds between two lines about the same program where a line cannot be rewritten. */
const plainIntervalMs = 20_000;

/**
 * Shows a build on `stream`: one line per program that is rewritten on a terminal, plain lines that tell
 * of start, end and long waits elsewhere.
 */
export function showBuild(stream: NodeJS.WriteStream = process.stderr): BuildObserver {
  let last = { program: '', state: '', elapsedMs: 0 };
  return (step) => {
    if (stream.isTTY) {
      stream.write(`\r\u001B[K${formatStep(step)}${step.state === 'built' ? '\n' : ''}`);
      return;
    }
    const news = step.program !== last.program || step.state !== last.state;
    if (news || step.elapsedMs - last.elapsedMs >= plainIntervalMs) {
      stream.write(`${formatStep(step)}\n`);
      last = { program: step.program, state: step.state, elapsedMs: step.elapsedMs };
    }
  };
}
