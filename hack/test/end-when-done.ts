// SPDX-License-Identifier: Apache-2.0
// Loaded into every test process by ava: one whose tests are over must end by itself. A connection or a child that a test
// forgot would keep it, and hold up the others until ava's own timeout, which names nobody.
import process from 'node:process';
import { registerCompletionHandler } from 'ava';

/** Closing connections takes a moment, more so on a busy machine. */
const GRACE_MS = 30_000;

registerCompletionHandler(() => {
  const timer = setTimeout(() => {
    console.error(
      `still held by ${process.getActiveResourcesInfo().join(', ')}, ${GRACE_MS / 1000} s after its tests`,
    );
    process.exit(1);
  }, GRACE_MS);
  timer.unref();
});
