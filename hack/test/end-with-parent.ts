// SPDX-License-Identifier: Apache-2.0
// Loaded into every test process: it ends when the process that runs the tests is gone, however that went.
process.on('disconnect', () => process.exit());
