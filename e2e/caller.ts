// SPDX-License-Identifier: Apache-2.0
import { Agent, request } from 'undici';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import type { World } from './run-world.ts';

/** What is read of the pod of a Run that may call others. */
interface CallerPod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly containers: readonly {
      readonly env: readonly { readonly name: string; readonly value?: string }[];
    }[];
  };
}

/** What the API server answered. */
export interface CallAnswer {
  readonly status: number;
  readonly message: string;
}

/** What a container says of a Run that it creates. */
export interface Call {
  readonly agent?: string;
  readonly namespace?: string;
  readonly spec?: object;
  readonly annotations?: Readonly<Record<string, string>>;
  /** In place of its own Run. */
  readonly parent?: { readonly name?: string; readonly uid?: string; readonly pod?: string } | undefined;
  /** In place of its own Run; none: without an owner. */
  readonly owners?: readonly object[];
}

/**
 * The container of a Run: simulated nodes run none, so this does what it would do, with what it is given. Its token is asked for as its
 * node would, bound to its pod, for the account that its pod names.
 */
export class Caller {
  readonly #cluster: AttachedCluster;
  readonly #token: string;
  /** Variables of the container. */
  readonly env: ReadonlyMap<string, string>;

  private constructor(cluster: AttachedCluster, token: string, env: ReadonlyMap<string, string>) {
    this.#cluster = cluster;
    this.#token = token;
    this.env = env;
  }

  /** The container of the present attempt of a Run, once it runs. */
  static async of({ user, namespace }: World, run: string): Promise<Caller> {
    const cluster = await attachSystem();
    const pod = await eventually(`the pod of ${run} is there`, async () => {
      const seen = await user.sees<{
        readonly status?: { readonly phase?: string; readonly child?: { readonly name: string } };
      }>('-n', namespace, `run/${run}`);
      const { phase, child } = seen?.status ?? {};
      if (phase !== 'Running' || child === undefined) return undefined;
      return user.sees<CallerPod>('-n', namespace, `pod/${child.name}`);
    });
    const { name, uid } = pod.metadata;
    const env = new Map((pod.spec.containers[0]?.env ?? []).map((one) => [one.name, one.value ?? '']));
    const token = await boundToken(cluster, {
      namespace,
      account: pod.spec.serviceAccountName,
      boundTo: { apiVersion: 'v1', kind: 'Pod', name, uid },
    });
    return new Caller(cluster, token, env);
  }

  /** Creates a Run that this one calls. A refusal is an answer. */
  async calls(name: string, call: Call = {}): Promise<CallAnswer> {
    const { agent = 'worker', namespace = this.#is('NEXUSOS_NAMESPACE'), spec, annotations } = call;
    const parentRef = this.#parentOf(call);
    const creator = { 'nexusos.dev/created-by': this.#is('NEXUSOS_USER') };
    const { name: owner, uid } = parentRef ?? this.#own;
    const owners = [{ apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run', name: owner, uid }];
    return this.sends('POST', `/apis/nexusos.dev/v1alpha1/namespaces/${namespace}/runs`, {
      apiVersion: 'nexusos.dev/v1alpha1',
      kind: 'Run',
      metadata: { name, annotations: { ...creator, ...annotations }, ownerReferences: call.owners ?? owners },
      spec: { agentRef: { name: agent }, ...(parentRef && { parentRef }), ...spec },
    });
  }

  /** Sends a request with the token of the container. */
  async sends(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<CallAnswer> {
    return send(this.#cluster, { method, path, token: this.#token, body });
  }

  get #own() {
    const [name, uid, pod] = ['NEXUSOS_RUN', 'NEXUSOS_RUN_UID', 'NEXUSOS_POD'].map((one) => this.#is(one));
    return { name, uid, pod };
  }

  #parentOf(call: Call) {
    if (!('parent' in call)) return this.#own;
    return call.parent && { ...this.#own, ...call.parent };
  }

  #is(variable: string): string {
    const value = this.env.get(variable);
    if (value === undefined) throw new Error(`the container has no ${variable}`);
    return value;
  }
}

/** A token of an account, as nodes ask for it; `boundTo`: the pod that it is for. */
export async function boundToken(
  cluster: AttachedCluster,
  asked: { readonly namespace: string; readonly account: string; readonly boundTo?: object },
): Promise<string> {
  const { namespace, account, boundTo } = asked;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const answer = await cluster.admin.create(path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 600, ...(boundTo && { boundObjectRef: boundTo }) },
  });
  return (answer as { readonly status: { readonly token: string } }).status.token;
}

/** One request with a token. */
export async function send(
  cluster: AttachedCluster,
  asked: {
    readonly method: 'GET' | 'POST' | 'DELETE';
    readonly path: string;
    readonly token: string;
    readonly body?: object | undefined;
  },
): Promise<CallAnswer> {
  const { method, path, token, body } = asked;
  const ca = Buffer.from(cluster.caData, 'base64').toString('utf8');
  const dispatcher = new Agent({ allowH2: false, connect: { ca } });
  try {
    const { statusCode: status, body: answer } = await request(new URL(path, cluster.url), {
      method,
      dispatcher,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const { message = '' } = (await answer.json()) as { readonly message?: string };
    return { status, message: status < 400 ? '' : message };
  } finally {
    await dispatcher.close();
  }
}
