// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';

/** One device of dynamic resource allocation. */
export interface SliceDevice {
  /** Unique in the cluster. */
  readonly id: string;
  readonly driver: string;
  /** Undefined for what hangs on no one node, or shares its parts with other devices: it cannot be counted. */
  readonly node: string | undefined;
  /** Texts only, by `<domain>/<name>`. */
  readonly attributes: ReadonlyMap<string, string>;
}

interface Device {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, { readonly string?: string }>>;
  readonly consumesCounters?: readonly unknown[];
  readonly taints?: readonly { readonly effect: string }[];
}

interface SliceSpec {
  readonly driver: string;
  readonly nodeName?: string;
  readonly pool: { readonly name: string; readonly generation: number };
  readonly devices?: readonly Device[];
}

interface ClaimStatus {
  readonly allocation?: {
    readonly devices?: {
      readonly results?: readonly {
        readonly driver: string;
        readonly pool: string;
        readonly device: string;
        readonly adminAccess?: boolean;
      }[];
    };
  };
}

/**
 * Devices of all ResourceSlices: of each pool the newest generation only, since a driver replaces its slices one by one.
 * Those with a taint that keeps pods off are left out.
 */
export function sliceDevices(slices: readonly KubeObject[]): readonly SliceDevice[] {
  const specs = slices.map(({ spec }) => spec as SliceSpec);
  const newest = new Map<string, number>();
  for (const { driver, pool } of specs) {
    const key = `${driver}/${pool.name}`;
    newest.set(key, Math.max(newest.get(key) ?? 0, pool.generation));
  }
  return specs
    .filter(({ driver, pool }) => newest.get(`${driver}/${pool.name}`) === pool.generation)
    .flatMap((spec) => devicesOf(spec));
}

function devicesOf({ driver, pool, nodeName, devices = [] }: SliceSpec): readonly SliceDevice[] {
  return devices.filter(isOffered).map(({ name, attributes = {}, consumesCounters }) => ({
    id: deviceId(driver, pool.name, name),
    driver,
    node: consumesCounters === undefined ? nodeName : undefined,
    attributes: new Map(
      Object.entries(attributes).flatMap(([key, value]) =>
        value.string === undefined
          ? []
          : [[key.includes('/') ? key : `${driver}/${key}`, value.string] as const],
      ),
    ),
  }));
}

function isOffered({ taints = [] }: Device): boolean {
  return taints.every(({ effect }) => effect !== 'NoSchedule' && effect !== 'NoExecute');
}

/** Devices that claims hold: by id, the uid of the Run, or undefined for somebody else. */
export function claimedDevices(claims: readonly KubeObject[]): ReadonlyMap<string, string | undefined> {
  const held = new Map<string, string | undefined>();
  for (const { metadata, status } of claims) {
    const { allocation } = (status ?? {}) as ClaimStatus;
    for (const { driver, pool, device, adminAccess } of allocation?.devices?.results ?? []) {
      // Whoever looks at a device as its administrator takes it from nobody.
      if (adminAccess !== true) held.set(deviceId(driver, pool, device), metadata.labels?.[LABELS.runUid]);
    }
  }
  return held;
}

function deviceId(driver: string, pool: string, device: string): string {
  return `${driver}/${pool}/${device}`;
}

const DRIVER_TERM = /^device\.driver\s*==\s*(["'])([^"']*)\1$/;
const ATTRIBUTE_TERM = /^device\.attributes\[(["'])([^"']+)\1\]\.([A-Za-z_]\w*)\s*==\s*(["'])([^"']*)\4$/;

/**
 * Which devices a DeviceClass selects. Its selectors are CEL; what the classes of drivers say is read here (equality of driver
 * and of textual attributes, joined by `&&`), and undefined stands for any other expression: it cannot be counted.
 */
export function deviceSelection({ spec }: KubeObject): ((device: SliceDevice) => boolean) | undefined {
  const { selectors = [] } = (spec ?? {}) as {
    readonly selectors?: readonly { readonly cel?: { readonly expression: string } }[];
  };
  const terms = selectors.flatMap(({ cel }) => (cel?.expression ?? '').split('&&').map((one) => one.trim()));
  const tests = terms.map((term) => termTest(term));
  if (tests.some((one) => one === undefined)) return undefined;
  return (device) => tests.every((test) => test?.(device) === true);
}

function termTest(term: string): ((device: SliceDevice) => boolean) | undefined {
  const driver = DRIVER_TERM.exec(term)?.[2];
  if (driver !== undefined) return (device) => device.driver === driver;
  const [, , domain, name, , value] = ATTRIBUTE_TERM.exec(term) ?? [];
  if (domain === undefined) return undefined;
  return ({ attributes }) => attributes.get(`${domain}/${name}`) === value;
}
