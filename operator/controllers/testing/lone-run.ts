// SPDX-License-Identifier: Apache-2.0
import { runController } from '../run.ts';
import { DeviceBook } from '../shared/device-book.ts';

/** The controller of Runs by itself, with a book of devices of its own: for what it sees and decides, without a cluster. */
export function loneRunController() {
  return runController(new DeviceBook());
}
