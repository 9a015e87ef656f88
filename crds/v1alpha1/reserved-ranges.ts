// SPDX-License-Identifier: Apache-2.0

/**
 * Addresses that no tenant may ever reach: link-local addresses and the metadata services of clouds, wherever they put
 * them, shared address space (nodes and metadata of some clouds), loopback, and the IPv6 range that translates to all
 * IPv4 addresses, these included.
 */
export const ALWAYS_RESERVED = [
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '192.0.0.192/32',
  '64:ff9b::/96',
  '::1/128',
  'fd00:ec2::/32',
  'fe80::/10',
] as const;
