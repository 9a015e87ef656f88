// SPDX-License-Identifier: Apache-2.0

/**
 * What Node is told by whoever starts the operator or an admission process: Dockerfile and chart say the same (node-options.test.ts), and so do
 * processes of tests and measurements. A large young generation only makes garbage wait, and most of the memory is that.
 */
export const SHIPPED_NODE_OPTIONS: readonly string[] = ['--max-semi-space-size=16'];
