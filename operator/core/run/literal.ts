// SPDX-License-Identifier: Apache-2.0

/** A value of a variable that Kubernetes leaves as it is. */
export function literal(value: string): string {
  return value.replaceAll('$(', '$$$$(');
}
