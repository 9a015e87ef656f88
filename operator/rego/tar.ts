// SPDX-License-Identifier: Apache-2.0

/** Archives, in a file of their own: a package in the old module format has no names when a bundle loads it by itself. */
export { extract, pack } from 'tar-stream';
