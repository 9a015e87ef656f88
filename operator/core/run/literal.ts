// SPDX-License-Identifier: Apache-2.0

/**
 * A value of a variable that Kubernetes leaves as it is: `$(NAME)` would be a variable, and of two dollars it takes one away, so `$$(NAME)` with
 * only the last of them doubled would be one as well.
 */
export function literal(value: string): string {
  return value.replaceAll('$', '$$$$');
}
