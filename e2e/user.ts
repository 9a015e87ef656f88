// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { eventually } from '#hack/tools/eventually';
import { objectPath } from './object-path.ts';

/** A condition as users read it. */
export interface ReadCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  /** Where its kind does not say that once for all. */
  readonly observedGeneration?: number;
}

/** What kubectl said. */
export interface Said {
  readonly ok: boolean;
  /** Standard output, or standard error when it failed. */
  readonly text: string;
}

/** What every object that is applied has. */
interface Applied {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Somebody with kubectl: the administrator, or who `kubeconfig` says. */
export class User {
  readonly #cluster: AttachedCluster;
  readonly #kubeconfig: string | undefined;

  constructor(cluster: AttachedCluster, kubeconfig?: string) {
    this.#cluster = cluster;
    this.#kubeconfig = kubeconfig;
  }

  /** Runs kubectl; a refusal is an answer. */
  async tries(args: readonly string[], stdin?: string): Promise<Said> {
    const { code, stdout, stderr } = await this.#cluster.kubectl(args, {
      ...(stdin !== undefined && { stdin }),
      ...(this.#kubeconfig !== undefined && { kubeconfig: this.#kubeconfig }),
    });
    return { ok: code === 0, text: code === 0 ? stdout : stderr };
  }

  /** Runs kubectl. Throws with what it said when it fails. */
  async does(args: readonly string[], stdin?: string): Promise<string> {
    const said = await this.tries(args, stdin);
    if (!said.ok) throw new Error(`kubectl ${args.join(' ')}: ${said.text}`);
    return said.text;
  }

  /**
   * Applies objects in their order, as a GitOps tool would: by server-side apply. The administrator's alone, over one connection: it is
   * what scenarios begin with.
   */
  async applies(...objects: readonly object[]): Promise<void> {
    for (const one of objects) await this.#appliesOne(one as Applied);
  }

  async #appliesOne(object: Applied): Promise<void> {
    if (this.#kubeconfig !== undefined)
      throw new Error('only the administrator applies; others do it with kubectl');
    const { kind, metadata } = object;
    const path = objectPath([
      '-n',
      metadata.namespace ?? 'default',
      `${kind.toLowerCase()}/${metadata.name}`,
    ]);
    const options = 'fieldManager=gitops&force=true&fieldValidation=Strict';
    const { status, text } = await this.#cluster.admin.send('PATCH', `${path}?${options}`, { ...object });
    if (status >= 300) throw new Error(`${kind} ${metadata.name}: ${status} ${text}`);
  }

  /** Waits until the Ready condition of an object is True and speaks of its present spec. `what` is as for `sees`. */
  async awaitsReady(...what: readonly string[]): Promise<void> {
    await eventually(`${what.join(' ')} is Ready`, async () => {
      const ready = await this.condition('Ready', ...what);
      if (ready?.status !== 'True') throw new Error(`Ready is ${JSON.stringify(ready)}`);
      return true;
    });
  }

  /**
   * The object, or undefined. `what` is as for `kubectl get`: `tenant/acme`, or `-n acme-main run/x`. What the administrator sees
   * is asked for over one connection: it is asked for again and again, and a kubectl each time is a fifth of a second.
   */
  async sees<T>(...what: readonly string[]): Promise<T | undefined> {
    if (this.#kubeconfig === undefined)
      return (await this.#cluster.admin.get(objectPath(what))) as T | undefined;
    const text = await this.does(['get', ...what, '-o', 'json', '--ignore-not-found']);
    return text === '' ? undefined : (JSON.parse(text) as T);
  }

  /** A condition of an object that speaks of its present spec. */
  async condition(type: string, ...what: readonly string[]): Promise<ReadCondition | undefined> {
    const object = await this.sees<{
      readonly metadata: { readonly generation?: number };
      readonly status?: {
        readonly observedGeneration?: number;
        readonly conditions?: readonly ReadCondition[];
      };
    }>(...what);
    const found = object?.status?.conditions?.find((one) => one.type === type);
    const judged = found?.observedGeneration ?? object?.status?.observedGeneration;
    return judged === object?.metadata.generation ? found : undefined;
  }
}

/** A Tenant with one owner and the namespace `<name>-main`; `spec` adds to it or replaces. */
export function tenantManifest(name: string, spec: object = {}, annotations: Record<string, string> = {}) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name, annotations },
    spec: {
      owners: [{ kind: 'User', name: `${name}-admin`, role: 'admin' }],
      namespaces: [{ suffix: 'main' }],
      ...spec,
    },
  };
}
