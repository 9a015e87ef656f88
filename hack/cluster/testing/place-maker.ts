// SPDX-License-Identifier: Apache-2.0
// A program for tests: makes the folder of a cluster, prints its place as one line of JSON, and goes no further.
import { choosePlace } from '../prepare.ts';

console.log(JSON.stringify(await choosePlace({})));
setInterval(() => undefined, 60_000);
