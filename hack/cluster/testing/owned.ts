// SPDX-License-Identifier: Apache-2.0

/** Tells owner.ts where to keep its cluster: in its environment, since its command line would name the folder. */
export const ownedDataDirVariable = 'NEXUSOS_TEST_OWNED_DATA_DIR';
