// SPDX-License-Identifier: Apache-2.0

/** Classes of data, the least sensitive first. */
export const DATA_CLASSES = ['public', 'internal', 'confidential', 'restricted'] as const;
/** How sensitive data is. */
export type DataClass = (typeof DATA_CLASSES)[number];
